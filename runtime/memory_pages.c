/* Changes of a memory's pages, and the layout they add up to. */
#include "memory_impl.h"

#include <string.h>

static void set_live_perms(mf_memory *memory, page_run run, mf_perm perm) {
    if (!perms_all(memory->perms, run, perm)) {
        memory_set_table(memory, run, perm);
        live_layout_drop(memory);
    }
}

/* The pages of a range that map_region or protect has accepted, and the first bytes in them. */
static mf_status change(mf_memory *memory, page_run run, mf_perm perm, const void *bytes, size_t count,
                        mf_diag *diag) {
    if (count == 0 && perms_all(memory->perms, run, perm))
        return MF_OK;
    if (!memory->ops->change(memory, run, perm, bytes, count))
        return memory_exhausted(diag);
    set_live_perms(memory, run, perm);
    return MF_OK;
}

/* The table is NONE from len_pages on, so only what lies below is written when pages become NONE. */
void memory_set_table(mf_memory *memory, page_run run, mf_perm perm) {
    uint32_t len = memory->len_pages;
    uint32_t end = perm == MF_PERM_NONE && run.end > len ? len : run.end;
    if (run.first < end)
        memset(memory->perms + run.first, (int)perm, end - run.first);
    if (perm != MF_PERM_NONE)
        memory->len_pages = end > len ? end : len;
    else if (run.first < len && end == len)
        memory->len_pages = perms_find_top(memory->perms, run.first);
}

void live_layout_drop(mf_memory *memory) {
    mf_layout_release(memory->current);
    memory->current = NULL;
    views_publish_fingerprint(memory, 0);
}

mf_status mf_memory_map_region(mf_memory *memory, uint64_t start, uint64_t size, mf_access access,
                               const void *init, size_t init_bytes, mf_diag *diag) {
    mf_status status = page_range_check(start, size, diag);
    if (status != MF_OK || size == 0)
        return status;
    size_t count = init == NULL ? 0 : init_bytes < size ? init_bytes : (size_t)size;
    return change(memory, page_run_of(start, size), (mf_perm)access, init, count, diag);
}

mf_status mf_memory_protect(mf_memory *memory, uint64_t start, uint64_t size, mf_perm perm, mf_diag *diag) {
    mf_status status = page_range_check(start, size, diag);
    if (status != MF_OK || size == 0)
        return status;
    return change(memory, page_run_of(start, size), perm, NULL, 0, diag);
}

mf_status mf_memory_unmap(mf_memory *memory, uint64_t start, uint64_t size, mf_diag *diag) {
    mf_status status = page_range_check(start, size, diag);
    if (status != MF_OK || size == 0)
        return status;
    page_run run = page_run_of(start, size);
    if (!memory->ops->clear(memory, run, MF_PERM_NONE))
        return memory_exhausted(diag);
    set_live_perms(memory, run, MF_PERM_NONE);
    return MF_OK;
}

/*
 * The new pages are cleared even though they are NONE: protect may have left bytes there, and so may a
 * store under the bounds policy.
 */
mf_status mf_memory_sbrk(mf_memory *memory, uint64_t bytes, uint64_t *old_top, mf_diag *diag) {
    uint64_t top = memory->heap_top;
    if (bytes > heap_limit(memory->created->heap) - top)
        return mf_diag_set(diag, MF_HEAP_REFUSED, bytes, "the heap would pass its maximum");
    uint64_t heap_end = page_ceil(top + bytes);
    page_run run = page_run_of(memory->view.heap_end, heap_end - memory->view.heap_end);
    if (!perms_all(memory->perms, run, MF_PERM_NONE))
        return mf_diag_set(diag, MF_HEAP_REFUSED, bytes, "the heap would grow over a mapped page");
    if (run.first != run.end) {
        if (!memory->ops->clear(memory, run, MF_PERM_RW))
            return memory_exhausted(diag);
        memory_set_table(memory, run, MF_PERM_RW);
        views_publish_heap_end(memory, heap_end);
    }
    memory->heap_top = top + bytes;
    *old_top = top;
    return MF_OK;
}

/* ---- The live layout ----------------------------------------------------------------------- */

/* A walk over the live table that leaves out the pages of `heap` (first == end: leaves out none). */
typedef struct run_walk {
    const mf_memory *memory;
    page_run heap;
    uint32_t page;
} run_walk;

/* Writes the next maximal run and moves behind it; false at the end. */
static bool next_run(run_walk *walk, layout_run *run) {
    bool has_heap = walk->heap.first != walk->heap.end;
    while (true) {
        if (has_heap && walk->page == walk->heap.first)
            walk->page = walk->heap.end;
        if (walk->page >= walk->memory->len_pages)
            return false;
        bool below_heap = has_heap && walk->page < walk->heap.first;
        page_run rest = {walk->page, below_heap ? walk->heap.first : walk->memory->len_pages};
        walk->page = perms_find_change(walk->memory->perms, rest);
        uint32_t perm = walk->memory->perms[rest.first];
        if (perm != MF_PERM_NONE) {
            *run = (layout_run){rest.first, walk->page, perm};
            return true;
        }
    }
}

/*
 * The heap of the live layout, and in `pages` those it owns. While they are all RW the heap is the one of
 * creation; otherwise they are regions and the heap begins at its top. A top of 2^32 leaves no pages, and
 * the base that does not fit becomes 0: no heap.
 */
static mf_heap live_heap(const mf_memory *memory, page_run *pages) {
    mf_heap heap = memory->created->heap;
    uint64_t heap_end = memory->view.heap_end;
    *pages = page_run_of(heap.base, heap_end - heap.base);
    if (perms_all(memory->perms, *pages, MF_PERM_RW))
        return heap;
    uint32_t used_pages = pages->end - pages->first;
    *pages = (page_run){0, 0};
    return (mf_heap){(uint32_t)heap_end, heap.max_pages - used_pages};
}

static mf_layout *make_live_layout(const mf_memory *memory) {
    run_walk start = {.memory = memory};
    mf_heap heap = live_heap(memory, &start.heap);
    layout_run run;
    size_t count = 0;
    for (run_walk walk = start; next_run(&walk, &run);)
        count++;
    mf_layout *layout = layout_begin(count);
    if (layout == NULL)
        return NULL;
    run_walk walk = start;
    for (size_t i = 0; i < count; i++)
        next_run(&walk, &layout->runs[i]);
    layout_seal(layout, heap);
    return layout;
}

mf_status mf_memory_layout(mf_memory *memory, mf_layout **layout, mf_diag *diag) {
    if (memory->current == NULL) {
        memory->current = make_live_layout(memory);
        if (memory->current == NULL)
            return memory_exhausted(diag);
        views_publish_fingerprint(memory, memory->current->fingerprint);
    }
    *layout = mf_layout_retain(memory->current);
    return MF_OK;
}
