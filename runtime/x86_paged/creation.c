/*
 * Creation and reset: the pages have the permissions of the layout and the bytes of the image.
 *
 * Both go through the pages in parts that have one permission in the layout. Creation may fail anywhere,
 * because a memory that is not complete is only closed. Reset has to leave everything as it was if it fails,
 * so it goes in passes: reserve what the host may run out of, try every change of permissions without
 * touching a byte, drop the bytes, and then write, which cannot fail because every step has been granted a
 * moment before.
 */
#include "layout_walk.h"
#include "sharing.h"
#include "x86_paged/host_pages.h"
#include "x86_paged/map.h"
#include "x86_paged/operations.h"

#include <string.h>

static page_run pages_of_host(const mf_memory *memory) {
    return page_run_of(0, memory->paged.end_bytes);
}

/* ---- Passes over pages whose bytes are the image's ------------------------------------------ */

/* How a pass gives the pages of a part a permission. */
typedef bool set_pages(const mf_memory *memory, page_run part, mf_perm perm);

static bool reserve_pages(const mf_memory *memory, page_run part, mf_perm perm) {
    return perm != MF_PERM_RW || map_reserve(memory->paged.map, part);
}

/*
 * What one pass does to parts of the layout. Read-write parts take their bytes as they are. Every other part
 * is opened for that: its pages become read-write, are written, and get their permission back.
 */
typedef struct byte_pass {
    set_pages *set; /* how a part is opened and closed */
    bool writes;
    bool compares; /* the pages may have these bytes already */
} byte_pass;

/* May fail. */
static const byte_pass build = {.set = host_pages_try, .writes = true};
static const byte_pass reserve = {.set = reserve_pages};
static const byte_pass try_out = {.set = host_pages_try};

/* Cannot fail: after try_out. */
static const byte_pass insist = {.set = host_pages_insist, .writes = true, .compares = true};

typedef struct pass_job {
    mf_memory *memory;
    const byte_pass *pass;
} pass_job;

/*
 * A part without permission stays open when nothing is written yet: a kernel gives frames of such pages back
 * when their bytes are dropped, and would have to find new ones for the pass that writes.
 */
static bool pass_part(const pass_job *job, page_run part, mf_perm perm) {
    const mf_memory *memory = job->memory;
    bool is_opened = perm != MF_PERM_RW;
    bool stays_open = perm == MF_PERM_NONE && !job->pass->writes;
    if (is_opened && !job->pass->set(memory, part, MF_PERM_RW))
        return false;
    if (job->pass->writes)
        image_restore(memory->image, memory->view.base, part, job->pass->compares);
    return !is_opened || stays_open || job->pass->set(memory, part, perm);
}

static bool pass_parts(void *context, page_run run) {
    const pass_job *job = context;
    layout_walk walk = layout_walk_begin(job->memory->start, run);
    page_run part;
    mf_perm perm;
    while (layout_walk_next(&walk, &part, &perm))
        if (!pass_part(job, part, perm))
            return false;
    return true;
}

/* Pages without permission and without bytes of the image are closed and go back to the host, if it takes
 * them. */
static bool give_back(const pass_job *job, page_run part, mf_perm perm) {
    const mf_memory *memory = job->memory;
    return job->pass->writes && perm == MF_PERM_NONE && !sharing_has_image(memory, part) &&
           job->pass->set(memory, part, perm) && map_drop(memory->paged.map, part);
}

static bool pass_written(void *context, size_t offset, size_t bytes, bool is_certain) {
    const pass_job *job = context;
    layout_walk walk = layout_walk_begin(job->memory->start, page_run_of(offset, bytes));
    page_run part;
    mf_perm perm;
    (void)is_certain;
    while (layout_walk_next(&walk, &part, &perm))
        if (!give_back(job, part, perm) && !pass_part(job, part, perm))
            return false;
    return true;
}

static bool pass_unshared(mf_memory *memory, const byte_pass *pass) {
    pass_job job = {memory, pass};
    return sharing_visit_unshared(memory, pages_of_host(memory), pass_parts, &job);
}

/* All pages that may have other bytes than at creation. */
static bool pass_changed(mf_memory *memory, const byte_pass *pass) {
    pass_job job = {memory, pass};
    return memory->ops->visit_written(memory, pass_written, &job) && pass_unshared(memory, pass) &&
           sharing_visit_foreign(memory, pass_parts, &job);
}

/* ---- Creation ------------------------------------------------------------------------------ */

bool paged_build(mf_memory *memory) {
    const mf_layout *layout = memory->start;
    paged_extend(memory, memory_creation_end(memory));
    sharing_build(memory);
    for (size_t i = 0; i < layout->run_count; i++) {
        const layout_run *run = &layout->runs[i];
        if (!host_pages_try(memory, (page_run){run->first, run->end}, (mf_perm)run->perm))
            return false;
    }
    memory->paged.only_grown = true;
    return pass_unshared(memory, &build);
}

/* ---- Reset of a memory that has only grown ------------------------------------------------- */

typedef struct writable_job {
    mf_memory *memory;
    size_t next;    /* the first window of stores that ends above what has been visited */
    uint32_t pages; /* so many have been overwritten */
    uint32_t stopped;
    bool may_stop;
} writable_job;

static bool restore_writable_part(writable_job *job, page_run part, bool is_certain) {
    job->pages += part.end - part.first;
    if (job->may_stop && job->pages > KEPT_PAGES_MAX) {
        job->stopped = part.first;
        return false;
    }
    image_restore(job->memory->image, job->memory->view.base, part, !is_certain);
    return true;
}

static bool restore_writable(void *context, size_t offset, size_t bytes, bool is_certain) {
    writable_job *job = context;
    const mf_layout *layout = job->memory->start;
    page_run run = page_run_of(offset, bytes);
    for (; job->next < layout->window_count[MF_STORE]; job->next++) {
        page_run window = layout->windows[MF_STORE][job->next];
        page_run part = run_common(window, run);
        if (!run_is_empty(part) && !restore_writable_part(job, part, is_certain))
            return false;
        if (window.end > run.end)
            return true;
    }
    return true;
}

static bool restore_unshared(void *context, page_run part) {
    const mf_memory *memory = context;
    image_restore(memory->image, memory->view.base, part, true);
    return true;
}

/* The writable pages from `first` on go back to the host; what it does not take is overwritten. */
static void drop_writable(mf_memory *memory, uint32_t first) {
    const mf_layout *layout = memory->start;
    bool is_dropped = true;
    for (size_t i = 0; i < layout->window_count[MF_STORE]; i++) {
        page_run part = run_common(layout->windows[MF_STORE][i], (page_run){first, MF_SPACE_PAGES});
        is_dropped &= run_is_empty(part) || map_drop(memory->paged.map, part);
    }
    if (!is_dropped)
        memory->ops->visit_written(memory, restore_writable, &(writable_job){.memory = memory});
    for (size_t i = 0; i < layout->window_count[MF_STORE]; i++) {
        page_run part = run_common(layout->windows[MF_STORE][i], (page_run){first, MF_SPACE_PAGES});
        sharing_visit_unshared(memory, part, restore_unshared, memory);
    }
}

/* Whether few pages can have been written. */
static bool is_small(const mf_memory *memory) {
    const mf_layout *layout = memory->start;
    uint32_t pages = 0;
    for (size_t i = 0; pages <= SMALL_PAGES_MAX && i < layout->window_count[MF_STORE]; i++)
        pages += layout->windows[MF_STORE][i].end - layout->windows[MF_STORE][i].first;
    return pages <= SMALL_PAGES_MAX;
}

/*
 * Only the heap has other permissions than at creation, and only read-write pages have other bytes: those of
 * read-only pages, and the hidden ones, are still the image's.
 */
static bool rebuild_grown(mf_memory *memory) {
    uint64_t start_end = page_ceil(memory->start_top);
    page_run heap = page_run_of(start_end, memory->view.heap_end - start_end);
    writable_job job = {.memory = memory, .stopped = MF_SPACE_PAGES, .may_stop = true};
    if (!host_pages_set(memory, heap, MF_PERM_NONE))
        return false;
    if (!map_drop(memory->paged.map, heap) && !host_pages_zero_by_hand(memory, heap, MF_PERM_NONE))
        return false;
    if (is_small(memory)) {
        memory_restore_small(memory, memory->start->windows[MF_STORE], memory->start->window_count[MF_STORE]);
        return true;
    }
    memory->ops->visit_written(memory, restore_writable, &job);
    memory->written_pages = job.pages;
    if (job.stopped != MF_SPACE_PAGES)
        drop_writable(memory, job.stopped);
    return true;
}

/* ---- Reset after other changes ------------------------------------------------------------- */

static bool reserve_created(mf_memory *memory) {
    layout_walk walk = layout_walk_begin(memory->start, pages_of_host(memory));
    page_run part;
    mf_perm perm;
    while (layout_walk_next(&walk, &part, &perm))
        if (perm != MF_PERM_NONE && !map_reserve(memory->paged.map, part))
            return false;
    return pass_unshared(memory, &reserve);
}

static bool try_created_perms(mf_memory *memory) {
    layout_walk walk = layout_walk_begin(memory->start, pages_of_host(memory));
    page_run part;
    mf_perm perm;
    while (layout_walk_next(&walk, &part, &perm))
        if (!perms_all(memory->table.perms, part, perm) && !host_pages_try(memory, part, perm))
            return false;
    return pass_changed(memory, &try_out);
}

static bool count_written(void *context, size_t offset, size_t bytes, bool is_certain) {
    uint64_t *count = context;
    (void)offset;
    (void)is_certain;
    *count += bytes / MF_PAGE_SIZE;
    return *count <= KEPT_PAGES_MAX;
}

bool paged_rebuild(mf_memory *memory) {
    if (memory->paged.only_grown && !memory->has_lost_pages)
        return rebuild_grown(memory);
    page_run all = pages_of_host(memory);
    unsigned long changes = map_changes(memory->paged.map);
    uint64_t written = 0;
    if (!reserve_created(memory)) {
        map_unreserve(memory->paged.map, all);
        return false;
    }
    if (!try_created_perms(memory)) {
        host_pages_restore_since(memory, all, changes);
        map_unreserve(memory->paged.map, all);
        return false;
    }
    sharing_return(memory);
    if (!memory->ops->visit_written(memory, count_written, &written))
        map_drop(memory->paged.map, all);
    memory->written_pages = (uint32_t)written;
    pass_changed(memory, &insist);
    memory->paged.only_grown = true;
    memory->has_lost_pages = sharing_has_foreign(memory);
    return true;
}
