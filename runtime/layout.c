/* Layouts: sealed sorted runs and the windows of each operation, all found by binary search. */
#include "layout_impl.h"
#include "os.h"

#include <string.h>

mf_layout *layout_begin(size_t run_count) {
    /* An operation has at most one window per run. */
    size_t run_bytes = sizeof(layout_run) + OPERATION_COUNT * sizeof(page_run);
    mf_layout *layout = os_allocate(sizeof *layout + run_count * run_bytes);
    if (layout == NULL)
        return NULL;
    refs_init(&layout->refs);
    layout->run_count = run_count;
    layout->windows[MF_LOAD] = (page_run *)(void *)(layout->runs + run_count);
    layout->windows[MF_STORE] = layout->windows[MF_LOAD] + run_count;
    return layout;
}

static void add_window(mf_layout *layout, mf_operation operation, const layout_run *run) {
    page_run *next = layout->windows[operation] + layout->window_count[operation];
    if (layout->window_count[operation] > 0 && next[-1].end == run->first) {
        next[-1].end = run->end;
    } else {
        *next = (page_run){run->first, run->end};
        layout->window_count[operation]++;
    }
}

static uint64_t mix(uint64_t hash, uint64_t word) {
    uint64_t product = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return product ^ product >> 32;
}

/* A run has 21 + 21 + 2 bits, so one word holds it; the count separates the runs from the heap. */
static uint64_t fingerprint_of(const mf_layout *layout) {
    uint64_t hash = mix(layout->run_count, MF_SPACE_BYTES);
    for (size_t i = 0; i < layout->run_count; i++) {
        const layout_run *run = &layout->runs[i];
        hash = mix(hash, run->first | (uint64_t)run->end << 21 | (uint64_t)run->perm << 42);
    }
    hash = mix(hash, layout->heap.base | (uint64_t)layout->heap.max_pages << 32);
    hash = mix(hash, hash >> 29);
    return hash != 0 ? hash : 1;
}

void layout_seal(mf_layout *layout, mf_heap heap) {
    for (size_t i = 0; i < layout->run_count; i++) {
        add_window(layout, MF_LOAD, &layout->runs[i]);
        if (layout->runs[i].perm == MF_PERM_RW)
            add_window(layout, MF_STORE, &layout->runs[i]);
    }
    layout->heap = heap;
    layout->fingerprint = fingerprint_of(layout);
}

mf_layout *mf_layout_retain(const mf_layout *layout) {
    mf_layout *shared = (mf_layout *)layout;
    if (shared != NULL)
        refs_retain(&shared->refs);
    return shared;
}

void mf_layout_release(const mf_layout *layout) {
    mf_layout *shared = (mf_layout *)layout;
    if (shared != NULL && refs_release(&shared->refs))
        os_free(shared);
}

size_t mf_layout_region_count(const mf_layout *layout) {
    return layout->run_count;
}

mf_region mf_layout_region(const mf_layout *layout, size_t index) {
    if (index >= layout->run_count)
        return (mf_region){0};
    const layout_run *run = &layout->runs[index];
    return (mf_region){
        .start = page_bytes(run->first),
        .size = page_bytes(run->end - run->first),
        .access = (mf_access)run->perm,
    };
}

mf_heap mf_layout_heap(const mf_layout *layout) {
    return layout->heap;
}

uint64_t mf_layout_len(const mf_layout *layout) {
    return layout->run_count > 0 ? page_bytes(layout->runs[layout->run_count - 1].end) : 0;
}

/* The index of the first of `count` sorted windows that ends above `page`; `count` if there is none. */
static size_t find_window(const page_run *windows, size_t count, uint32_t page) {
    size_t low = 0;
    size_t high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (windows[middle].end > page)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

bool mf_layout_window_lookup(const mf_layout *layout, mf_operation operation, uint64_t from,
                             mf_window *window) {
    if (from >= MF_SPACE_BYTES || (uint32_t)operation >= OPERATION_COUNT)
        return false;
    size_t count = layout->window_count[operation];
    size_t found = find_window(layout->windows[operation], count, (uint32_t)(from >> MF_PAGE_LOG2));
    if (found == count)
        return false;
    page_run pages = layout->windows[operation][found];
    *window = (mf_window){page_bytes(pages.first), page_bytes(pages.end - pages.first)};
    return true;
}

static bool operation_may_touch(const mf_layout *layout, mf_operation operation, uint32_t page) {
    size_t count = layout->window_count[operation];
    size_t found = find_window(layout->windows[operation], count, page);
    return found < count && layout->windows[operation][found].first <= page;
}

mf_perm mf_layout_perm_of(const mf_layout *layout, uint32_t address) {
    uint32_t page = address >> MF_PAGE_LOG2;
    if (operation_may_touch(layout, MF_STORE, page))
        return MF_PERM_RW;
    return operation_may_touch(layout, MF_LOAD, page) ? MF_PERM_RO : MF_PERM_NONE;
}

uint64_t mf_layout_fingerprint(const mf_layout *layout) {
    return layout->fingerprint;
}

bool mf_layout_equal(const mf_layout *a, const mf_layout *b) {
    if (a == b)
        return true;
    return a->fingerprint == b->fingerprint && a->run_count == b->run_count && a->heap.base == b->heap.base &&
           a->heap.max_pages == b->heap.max_pages &&
           memcmp(a->runs, b->runs, a->run_count * sizeof a->runs[0]) == 0;
}
