/* Clone: the pages that the host says have been written are copied, and then permissions are the source's. */
#include "x86_paged/host_pages.h"
#include "x86_paged/map.h"
#include "x86_paged/operations.h"

typedef struct clone_job {
    const mf_memory *to;
    const mf_memory *from;
} clone_job;

/* Pages without permission may have bytes too. They are readable in both memories for as long as the copy
 * takes. */
static bool copy_hidden_part(const clone_job *job, page_run part) {
    if (!host_pages_set(job->from, part, MF_PERM_RO))
        return false;
    bool is_writable = host_pages_try(job->to, part, MF_PERM_RW);
    if (is_writable)
        map_copy(job->to->paged.map, job->from->paged.map, part);
    host_pages_restore(job->from, part);
    return is_writable && host_pages_try(job->to, part, MF_PERM_NONE);
}

static bool copy_written(void *context, size_t offset, size_t bytes) {
    const clone_job *job = context;
    const unsigned char *perms = job->from->table.perms;
    page_run rest = page_run_of(offset, bytes);
    while (rest.first < rest.end) {
        page_run part = perms_next_run(perms, &rest);
        if (perms[part.first] != MF_PERM_NONE)
            map_copy(job->to->paged.map, job->from->paged.map, part);
        else if (!copy_hidden_part(job, part))
            return false;
    }
    return true;
}

/* The pages that `from` lets be accessed are writable in `memory`. */
static bool open_accessible(const mf_memory *memory, const mf_memory *from) {
    page_run rest = {0, from->table.len_pages};
    while (rest.first < rest.end) {
        page_run open = {rest.first, perms_find_below(from->table.perms, rest, MF_PERM_RO)};
        if (!host_pages_try(memory, open, MF_PERM_RW))
            return false;
        rest.first = open.end;
        if (rest.first < rest.end)
            perms_next_run(from->table.perms, &rest);
    }
    return true;
}

static bool close_read_only(const mf_memory *memory, const mf_memory *from) {
    page_run rest = {0, from->table.len_pages};
    while (rest.first < rest.end) {
        page_run part = perms_next_run(from->table.perms, &rest);
        if (from->table.perms[part.first] == MF_PERM_RO && !host_pages_try(memory, part, MF_PERM_RO))
            return false;
    }
    return true;
}

/* The permissions of `memory` are not its table's yet when this fails, but then it is good for close only. */
bool paged_clone(mf_memory *memory, const mf_memory *from) {
    clone_job job = {memory, from};
    paged_extend(memory, from->paged.end_bytes);
    memory->paged.only_grown = from->paged.only_grown;
    return open_accessible(memory, from) &&
           map_visit_written(from->paged.map, from->paged.end_bytes, copy_written, &job) &&
           close_read_only(memory, from);
}
