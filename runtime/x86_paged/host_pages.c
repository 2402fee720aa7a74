/* Pages on the host: permissions are asked for, taken back and insisted on; which have been written. */
#include "x86_paged/host_pages.h"
#include "os.h"
#include "panic_impl.h"
#include "sharing.h"
#include "x86_paged/map.h"

/* About 70 ms. Only other threads that take mappings at the same time can make it come to that. */
#define INSIST_ATTEMPTS 1000

bool host_pages_try(const mf_memory *memory, page_run run, mf_perm perm) {
    return run.first == run.end || map_protect(memory->paged.map, run, perm);
}

/* The kernel refuses also what changes nothing, so after the first refusal it is asked what the pages have.
 */
bool host_pages_insist(const mf_memory *memory, page_run run, mf_perm perm) {
    for (unsigned attempt = 0; !host_pages_try(memory, run, perm); attempt++) {
        if (attempt == 0 && map_has(memory->paged.map, run, perm))
            return true;
        if (attempt == INSIST_ATTEMPTS) {
            panic_values("the kernel does not give back the permissions that guest pages had: ",
                         page_bytes(run.first), " to ", page_bytes(run.end), "");
        }
        os_wait(attempt);
    }
    return true;
}

void host_pages_restore(const mf_memory *memory, page_run run) {
    while (run.first < run.end) {
        page_run part = perms_next_run(memory->table.perms, &run);
        host_pages_insist(memory, part, (mf_perm)memory->table.perms[part.first]);
    }
}

void host_pages_restore_since(const mf_memory *memory, page_run run, unsigned long changes) {
    if (map_changes(memory->paged.map) != changes)
        host_pages_restore(memory, run);
}

bool host_pages_set(const mf_memory *memory, page_run run, mf_perm perm) {
    unsigned long changes = map_changes(memory->paged.map);
    if (host_pages_try(memory, run, perm))
        return true;
    host_pages_restore_since(memory, run, changes);
    return false;
}

bool host_pages_zero_by_hand(const mf_memory *memory, page_run run, mf_perm perm) {
    if (!host_pages_try(memory, run, MF_PERM_RW)) {
        host_pages_restore(memory, run);
        return false;
    }
    os_zero(memory->view.base + page_bytes(run.first), page_bytes(run.end - run.first));
    return host_pages_insist(memory, run, perm);
}

bool host_pages_visit_written(mf_memory *memory, page_run within, os_visit *visit, void *context) {
    page_run run = run_common(within, page_run_of(0, memory->paged.end_bytes));
    sharing_written to = {memory, visit, context, page_bytes(run.first)};
    return run_is_empty(run) ||
           map_visit_written(memory->paged.map, run, sharing_visit_written, sharing_zero_visit(memory), &to);
}
