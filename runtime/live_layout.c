/* The layout that a memory has now: made from the permission table when it is asked for, and kept until a
 * change. */
#include "live_layout.h"
#include "layout_walk.h"
#include "memory_impl.h"
#include "views.h"

void live_layout_drop(mf_memory *memory) {
    mf_layout_release(memory->current);
    memory->current = NULL;
    views_publish_stamp(memory, MF_LAYOUT_STAMP(0, memory->config.backend));
}

/* A walk over the live table that leaves out the pages of `heap` (first == end: leaves out none). */
typedef struct run_walk {
    const mf_memory *memory;
    page_run heap;
    uint32_t page;
} run_walk;

static uint32_t least_at_or_above(uint32_t page, page_run run, uint32_t so_far) {
    uint32_t candidate = run.first > page ? run.first : page;
    return candidate < run.end && candidate < so_far ? candidate : so_far;
}

/*
 * The lowest page from `page` on that may be other than NONE: of the runs of creation, of what has changed
 * since, or of the heap. So holes are not read, which the host may not even have memory for.
 */
static uint32_t skip_hole(const mf_memory *memory, uint32_t page) {
    uint32_t len_pages = memory->table.len_pages;
    page_run heap = page_run_of(memory->heap.base, memory->view.heap_end - memory->heap.base);
    layout_walk walk = layout_walk_begin(memory->start, (page_run){page, len_pages});
    uint32_t least = len_pages;
    if (walk.next < memory->start->run_count) {
        const layout_run *run = &memory->start->runs[walk.next];
        least = least_at_or_above(page, (page_run){run->first, run->end}, least);
    }
    least = least_at_or_above(page, memory->changed, least);
    return least_at_or_above(page, heap, least);
}

/* Writes the next maximal run and moves behind it; false at the end. */
static bool next_run(run_walk *walk, layout_run *run) {
    const mf_memory *memory = walk->memory;
    const unsigned char *perms = memory->table.perms;
    bool has_heap = walk->heap.first != walk->heap.end;
    while (true) {
        if (has_heap && walk->page == walk->heap.first)
            walk->page = walk->heap.end;
        bool below_heap = has_heap && walk->page < walk->heap.first;
        uint32_t limit = below_heap ? walk->heap.first : memory->table.len_pages;
        uint32_t first = skip_hole(memory, walk->page);
        walk->page = first < limit ? first : limit;
        if (walk->page >= memory->table.len_pages)
            return false;
        if (walk->page == limit)
            continue;
        uint32_t perm = perms[first];
        uint32_t changed_end = memory->changed.end < limit ? memory->changed.end : limit;
        bool is_hole = perm == MF_PERM_NONE;
        walk->page = is_hole && first >= changed_end
                         ? first + 1
                         : perms_find_change(perms, (page_run){first, is_hole ? changed_end : limit});
        if (perm != MF_PERM_NONE) {
            *run = (layout_run){first, walk->page, perm};
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
    mf_heap heap = memory->heap;
    uint64_t heap_end = memory->view.heap_end;
    *pages = page_run_of(heap.base, heap_end - heap.base);
    if (perms_all(memory->table.perms, *pages, MF_PERM_RW))
        return heap;
    uint32_t used_pages = pages->end - pages->first;
    *pages = (page_run){0, 0};
    return (mf_heap){(uint32_t)heap_end, heap.max_pages - used_pages};
}

static mf_layout *make_layout(run_walk start, mf_heap heap) {
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

static mf_layout *make_live_layout(const mf_memory *memory) {
    run_walk start = {.memory = memory};
    mf_heap heap = live_heap(memory, &start.heap);
    return make_layout(start, heap);
}

mf_layout *live_layout_of_every_page(const mf_memory *memory) {
    return make_layout((run_walk){.memory = memory}, (mf_heap){0});
}

mf_status mf_memory_layout(mf_memory *memory, mf_layout **layout, mf_diag *diag) {
    if (memory->current == NULL) {
        memory->current = make_live_layout(memory);
        if (memory->current == NULL)
            return memory_exhausted(diag);
        views_publish_stamp(memory, MF_LAYOUT_STAMP(memory->current->fingerprint, memory->config.backend));
    }
    *layout = mf_layout_retain(memory->current);
    return MF_OK;
}

live_walk live_walk_begin(const mf_memory *memory) {
    return (live_walk){.memory = memory};
}

/*
 * The pages of the heap that a known layout leaves to it. They are RW, or they would be its regions. Where it
 * has no heap, as when one that has lost pages ends at 2^32, the base says nothing.
 */
static page_run heap_pages(const mf_memory *memory) {
    mf_heap heap = memory->current->heap;
    uint64_t heap_end = memory->view.heap_end;
    bool has_pages = heap.max_pages > 0 && heap.base < heap_end;
    return has_pages ? page_run_of(heap.base, heap_end - heap.base) : (page_run){0, 0};
}

static bool next_known(live_walk *walk, layout_run *run) {
    const mf_layout *layout = walk->memory->current;
    page_run heap = heap_pages(walk->memory);
    size_t at = walk->next++;
    if (at < layout->run_count)
        *run = layout->runs[at];
    else
        *run = (layout_run){heap.first, heap.end, MF_PERM_RW};
    return at < layout->run_count || (at == layout->run_count && heap.first < heap.end);
}

bool live_walk_next(live_walk *walk, layout_run *run) {
    if (walk->memory->current != NULL)
        return next_known(walk, run);
    run_walk table = {.memory = walk->memory, .page = walk->page};
    bool is_there = next_run(&table, run);
    walk->page = table.page;
    return is_there;
}

uint32_t live_layout_len_below(const mf_memory *memory, uint32_t page) {
    live_walk walk = live_walk_begin(memory);
    layout_run run;
    uint32_t len_pages = 0;
    while (live_walk_next(&walk, &run)) {
        uint32_t end = run.end < page ? run.end : page;
        if (run.first < page && end > len_pages)
            len_pages = end;
    }
    return len_pages;
}

bool mf_accessors_fit(const mf_accessors *accessors, mf_memory *memory) {
    mf_layout *layout;
    mf_backend backend = memory->config.backend;
    uint32_t needed =
        memory->config.index == MF_MEMORY_U32 ? MF_ACCESSORS_SERVE_U32(backend) : MF_ACCESSORS_SERVE(backend);
    if ((accessors->backends & needed) == 0)
        return false;
    if (accessors->layout_stamp == 0)
        return true;
    if (mf_memory_layout(memory, &layout, NULL) != MF_OK)
        return false;
    mf_layout_release(layout);
    return accessors->layout_stamp == memory->view.layout_stamp;
}
