/* The inside of a layout, for those who build one: the builder and a live memory. */
#ifndef MEMFOLD_RUNTIME_LAYOUT_IMPL_H
#define MEMFOLD_RUNTIME_LAYOUT_IMPL_H

#include <memfold/layout.h>

#include "pages.h"
#include "refs.h"

/* A region in pages: [first, end) with a permission other than NONE. No padding: runs compare bytewise. */
typedef struct layout_run {
    uint32_t first;
    uint32_t end;
    uint32_t perm;
} layout_run;

MF_STATIC_ASSERT(sizeof(layout_run) == 3 * sizeof(uint32_t), "layout_run has no padding");

#define OPERATION_COUNT 2

struct mf_layout {
    refs refs;
    uint64_t fingerprint;
    mf_heap heap;
    size_t run_count;
    size_t window_count[OPERATION_COUNT]; /* by mf_operation */
    page_run *windows[OPERATION_COUNT];
    layout_run runs[];
};

/* A layout with room for `run_count` runs, or NULL. The caller fills the runs, maximal and sorted, ... */
mf_layout *layout_begin(size_t run_count);

/* ... and then seals it: from here on it is immutable. */
void layout_seal(mf_layout *layout, mf_heap heap);

/* The end of the heap's largest extent, 0 without a heap. */
static inline uint64_t heap_limit(mf_heap heap) {
    return heap.base + page_bytes(heap.max_pages);
}

#endif
