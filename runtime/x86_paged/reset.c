/*
 * Reset: permissions and bytes of creation again, at the price of what has changed.
 *
 * It leaves everything as it was if it fails. So it asks for the permissions first, and for those that it
 * needs to write to pages that are closed at creation; and then it writes, which cannot fail, because every
 * step goes back to a permission that was granted a moment before.
 *
 * Closed pages, those that are read-only or without permission at creation, have other bytes only where the
 * memory was changed otherwise than by stores and sbrk: inside `touched`.
 */
#include "layout_walk.h"
#include "rewrite.h"
#include "sharing.h"
#include "x86_paged/host_pages.h"
#include "x86_paged/map.h"
#include "x86_paged/operations.h"

/* ---- Pages that the guest can write at creation --------------------------------------------- */

typedef struct writable_job {
    rewrite rewrite;
    size_t next; /* the first window of stores that ends above what has been visited */
} writable_job;

static bool restore_writable(void *context, size_t offset, size_t bytes, bool is_certain) {
    writable_job *job = context;
    const mf_layout *layout = job->rewrite.memory->start;
    page_run run = page_run_of(offset, bytes);
    for (; job->next < layout->window_count[MF_STORE]; job->next++) {
        page_run window = layout->windows[MF_STORE][job->next];
        page_run part = run_common(window, run);
        if (!run_is_empty(part) && !rewrite_add(&job->rewrite, part, is_certain))
            return false;
        if (window.end > run.end)
            return true;
    }
    return true;
}

static bool restore_part(void *context, page_run part) {
    const mf_memory *memory = context;
    image_restore(memory->image, memory->view.base, part, true);
    return true;
}

/* The writable pages of `where` that no mapping of the image gives their bytes. */
static void restore_unmapped(mf_memory *memory, page_run where) {
    const mf_layout *layout = memory->start;
    for (size_t i = 0; i < layout->window_count[MF_STORE]; i++) {
        page_run part = run_common(layout->windows[MF_STORE][i], where);
        if (!run_is_empty(part))
            sharing_visit_unshared(memory, part, restore_part, memory);
    }
}

/* The writable pages from `first` on go back to the host; what it does not take is overwritten. */
static void drop_writable(mf_memory *memory, uint32_t first) {
    const mf_layout *layout = memory->start;
    page_run where = {first, MF_SPACE_PAGES};
    bool is_dropped = true;
    for (size_t i = 0; i < layout->window_count[MF_STORE]; i++) {
        page_run part = run_common(layout->windows[MF_STORE][i], where);
        is_dropped &= run_is_empty(part) || map_drop(memory->paged.map, part);
    }
    writable_job by_hand = {.rewrite = {.memory = memory}};
    if (!is_dropped)
        memory->ops->visit_written(memory, restore_writable, &by_hand);
    rewrite_finish(&by_hand.rewrite);
    restore_unmapped(memory, where);
}

bool paged_is_small(const mf_memory *memory, page_run heap) {
    const mf_layout *layout = memory->start;
    uint32_t pages = heap.end - heap.first;
    for (size_t i = 0; pages <= SMALL_PAGES_MAX && i < layout->window_count[MF_STORE]; i++)
        pages += layout->windows[MF_STORE][i].end - layout->windows[MF_STORE][i].first;
    return pages <= SMALL_PAGES_MAX;
}

/* What has been written has its bytes again; true if all pages have, because few enough to be looked at. */
static bool restore_windows(mf_memory *memory) {
    if (paged_is_small(memory, (page_run){0, 0})) {
        memory_restore_small(memory, memory->start->windows[MF_STORE], memory->start->window_count[MF_STORE]);
        return true;
    }
    writable_job job = {.rewrite = {.memory = memory, .has_limit = true}};
    memory->ops->visit_written(memory, restore_writable, &job);
    rewrite_finish(&job.rewrite);
    memory->written_pages = job.rewrite.pages;
    if (job.rewrite.has_stopped)
        drop_writable(memory, job.rewrite.stopped);
    return false;
}

/* ---- Reset of a memory that has only grown ------------------------------------------------- */

/*
 * Only the heap has other permissions than at creation, and only read-write pages have other bytes: those of
 * read-only pages, and the hidden ones, are still the image's.
 */
static bool rebuild_grown(mf_memory *memory) {
    page_run heap = memory_grown_heap(memory);
    if (!host_pages_set(memory, heap, MF_PERM_NONE))
        return false;
    if (!map_drop(memory->paged.map, heap) && !host_pages_zero_by_hand(memory, heap, MF_PERM_NONE))
        return false;
    restore_windows(memory);
    return true;
}

/* ---- Closed pages --------------------------------------------------------------------------- */

/* Closed pages of `where` that may have other bytes than at creation. */
typedef struct closed_pages {
    mf_memory *memory;
    page_run where;
    run_list runs;
} closed_pages;

static bool add_closed(void *context, page_run run) {
    closed_pages *closed = context;
    layout_walk walk = layout_walk_begin(closed->memory->start, run_common(run, closed->where));
    page_run part;
    mf_perm perm;
    while (layout_walk_next(&walk, &part, &perm))
        if (perm != MF_PERM_RW && !run_list_append(&closed->runs, part))
            return false;
    return true;
}

static bool add_written(void *context, size_t offset, size_t bytes, bool is_certain) {
    (void)is_certain;
    return add_closed(context, page_run_of(offset, bytes));
}

/* Whether all pages are read-write at creation. */
static bool has_no_closed(const mf_memory *memory, page_run where) {
    layout_walk walk = layout_walk_begin(memory->start, where);
    page_run part;
    mf_perm perm;
    while (layout_walk_next(&walk, &part, &perm))
        if (perm != MF_PERM_RW)
            return false;
    return true;
}

static bool find_closed(closed_pages *closed) {
    mf_memory *memory = closed->memory;
    return has_no_closed(memory, closed->where) ||
           (host_pages_visit_written(memory, closed->where, add_written, closed) &&
            sharing_visit_unshared(memory, closed->where, add_closed, closed) &&
            sharing_visit_foreign(memory, add_closed, closed) && run_list_unite(&closed->runs));
}

/* Does something to pages that are closed with `perm` at creation and have one permission now. */
typedef bool closed_step(mf_memory *memory, page_run part, mf_perm perm);

static bool pass_closed(const closed_pages *closed, closed_step *step) {
    mf_memory *memory = closed->memory;
    for (size_t i = 0; i < closed->runs.count; i++) {
        layout_walk walk = layout_walk_begin(memory->start, closed->runs.runs[i]);
        page_run rest;
        mf_perm perm;
        while (layout_walk_next(&walk, &rest, &perm))
            while (!run_is_empty(rest))
                if (!step(memory, perms_next_run(memory->table.perms, &rest), perm))
                    return false;
    }
    return true;
}

static bool could_be_written(const mf_memory *memory, page_run part) {
    return perms_at(memory->table.perms, part.first) == MF_PERM_RW;
}

/* What could be written before can be opened again; all else is opened now, while that may be refused. */
static bool open_part(mf_memory *memory, page_run part, mf_perm perm) {
    (void)perm;
    return could_be_written(memory, part) || host_pages_try(memory, part, MF_PERM_RW);
}

static bool stop(void *context, page_run part) {
    (void)context;
    (void)part;
    return false;
}

/* Whether these pages have the bytes of creation when the host has taken them. */
static bool drops_to_creation(const mf_memory *memory, page_run part) {
    return sharing_visit_unshared(memory, part, stop, NULL) && !sharing_has_foreign_in(memory, part);
}

static bool close_part(mf_memory *memory, page_run part, mf_perm perm) {
    bool is_droppable = drops_to_creation(memory, part);
    if (is_droppable && !could_be_written(memory, part))
        host_pages_insist(memory, part, perm);
    if (is_droppable && map_drop(memory->paged.map, part))
        return true;
    host_pages_insist(memory, part, MF_PERM_RW);
    image_restore(memory->image, memory->view.base, part, true);
    return host_pages_insist(memory, part, perm);
}

/* ---- Reset after other changes ------------------------------------------------------------- */

static bool try_created_perms(const mf_memory *memory, page_run where) {
    layout_walk walk = layout_walk_begin(memory->start, where);
    page_run part;
    mf_perm perm;
    while (layout_walk_next(&walk, &part, &perm))
        if (!perms_all(memory->table.perms, part, perm) && !host_pages_try(memory, part, perm))
            return false;
    return true;
}

static bool restore_foreign(void *context, page_run part) {
    mf_memory *memory = context;
    const mf_layout *layout = memory->start;
    for (size_t i = 0; i < layout->window_count[MF_STORE]; i++) {
        page_run common = run_common(layout->windows[MF_STORE][i], part);
        if (!run_is_empty(common))
            restore_part(memory, common);
    }
    return true;
}

/* Where pages may have other permissions, or closed ones other bytes. */
static page_run changed_pages(const mf_memory *memory) {
    page_run all = page_run_of(0, memory->paged.end_bytes);
    page_run touched = memory->has_lost_pages ? all : memory->paged.touched;
    return run_around(touched, memory_grown_heap(memory));
}

static bool rebuild_changed(mf_memory *memory) {
    closed_pages closed = {.memory = memory, .where = changed_pages(memory)};
    unsigned long changes = map_changes(memory->paged.map);
    if (!find_closed(&closed) || !try_created_perms(memory, closed.where) ||
        !pass_closed(&closed, open_part)) {
        host_pages_restore_since(memory, closed.where, changes);
        run_list_fini(&closed.runs);
        return false;
    }
    sharing_return(memory);
    pass_closed(&closed, close_part);
    if (!restore_windows(memory)) {
        restore_unmapped(memory, closed.where);
        sharing_visit_foreign(memory, restore_foreign, memory);
    }
    memory->paged.touched = (page_run){0, 0};
    memory->has_lost_pages = sharing_has_foreign(memory);
    run_list_fini(&closed.runs);
    return true;
}

bool paged_rebuild(mf_memory *memory) {
    if (paged_has_only_grown(memory) && !memory->has_lost_pages)
        return rebuild_grown(memory);
    return rebuild_changed(memory);
}
