/* Clone: permissions are the source's; then pages that have other bytes are copied. */
#include "live_layout.h"
#include "cloning.h"
#include "x86_paged/host_pages.h"
#include "x86_paged/map.h"
#include "x86_paged/operations.h"

static void copy_pages(const clone_job *job, page_run run, os_copy_mode mode) {
    map_copy(job->to->paged.map, job->from->paged.map, run, mode);
}

/* The pages cannot be written by the guest. They are writable in the clone for as long as the copy takes. */
static bool copy_closed_part(const clone_job *job, page_run part, mf_perm perm) {
    clone_job at_once = *job;
    at_once.dense = NULL;
    bool is_writable = host_pages_try(job->to, part, MF_PERM_RW);
    if (is_writable)
        clone_bytes(&at_once, part);
    return is_writable && host_pages_try(job->to, part, perm);
}

/* Pages without permission may have bytes too: they are opened in both memories. */
static bool copy_hidden_part(const clone_job *job, page_run part) {
    if (!host_pages_set(job->from, part, MF_PERM_RO))
        return false;
    bool is_done = copy_closed_part(job, part, MF_PERM_NONE);
    host_pages_restore(job->from, part);
    return is_done;
}

static bool clone_part(const clone_job *job, page_run part, mf_perm perm) {
    if (perm == MF_PERM_NONE)
        return copy_hidden_part(job, part);
    if (perm == MF_PERM_RO)
        return copy_closed_part(job, part, perm);
    clone_bytes(job, part);
    return true;
}

static bool clone_parts(void *context, page_run rest) {
    const clone_job *job = context;
    const unsigned char *perms = job->from->table.perms;
    while (rest.first < rest.end) {
        page_run part = perms_next_run(perms, &rest);
        if (!clone_part(job, part, (mf_perm)perms[part.first]))
            return false;
    }
    return true;
}

static bool set_perms(const mf_memory *memory, const mf_memory *from) {
    live_walk walk = live_walk_begin(from);
    layout_run run;
    while (live_walk_next(&walk, &run))
        if (!host_pages_try(memory, (page_run){run.first, run.end}, (mf_perm)run.perm))
            return false;
    return true;
}

/* Closed pages outside of `touched` are as at creation. */
static bool follow_parts(void *context, page_run rest) {
    const clone_job *job = context;
    const unsigned char *perms = job->from->table.perms;
    while (rest.first < rest.end) {
        page_run part = perms_next_run(perms, &rest);
        mf_perm perm = (mf_perm)perms[part.first];
        if (perm != MF_PERM_RW)
            part = run_common(part, job->from->paged.touched);
        if (!run_is_empty(part) && !clone_part(job, part, perm))
            return false;
    }
    return true;
}

/* All that a small memory has that has only grown can be written, in both. That takes no system call. */
static void copy_small(const clone_job *job) {
    const mf_layout *start = job->from->start;
    for (size_t i = 0; i < start->window_count[MF_STORE]; i++)
        clone_bytes(job, start->windows[MF_STORE][i]);
    clone_bytes(job, memory_grown_heap(job->from));
}

bool paged_copy_changed(mf_memory *memory, mf_memory *from) {
    clone_job job = {.to = memory, .from = from, .copy = copy_pages};
    bool has_only_grown = paged_has_only_grown(from);
    if (!has_only_grown || !paged_is_small(from, memory_grown_heap(from)))
        return follow_visit(&job, follow_parts, !has_only_grown);
    copy_small(&job);
    return true;
}

bool paged_clone(mf_memory *memory, mf_memory *from) {
    run_list dense = {0};
    clone_job job = {.to = memory, .from = from, .copy = copy_pages, .dense = &dense};
    paged_extend(memory, from->paged.end_bytes);
    memory->paged.touched = from->paged.touched;
    sharing_clone(memory, from);
    bool is_done = set_perms(memory, from) && clone_visit(&job, clone_parts);
    map_allow_huge_pages(memory->paged.map);
    clone_rest(&job);
    return is_done;
}
