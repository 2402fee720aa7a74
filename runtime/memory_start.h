/* What a memory begins with, and again after a reset: for those who create memories and who use them again.
 */
#ifndef MEMFOLD_RUNTIME_MEMORY_START_H
#define MEMFOLD_RUNTIME_MEMORY_START_H

#include "memory_impl.h"

/* What a memory begins with; borrowed. */
typedef struct creation {
    mf_layout *layout;
    mf_layout *start; /* as in mf_memory */
    mf_heap heap;
    uint64_t top;
    const mf_image *image;
} creation;

/* Keeps references of what the memory begins with; it has none yet. */
void memory_keep_creation(mf_memory *memory, creation from);

/* The pages, which are NONE in the live table, are as at creation; the heap is, and all views know its end.
 */
void memory_apply_start(mf_memory *memory, page_run pages);
void memory_apply_heap(mf_memory *memory);

static const page_run every_page = {0, MF_SPACE_PAGES};

/* What mf_memory_create makes of these two; `empty` is a layout without pages. */
creation creation_of(const mf_layout *layout, const mf_image *image, mf_layout *empty);

/* What the memory began with. */
static inline creation memory_creation(const mf_memory *memory) {
    return (creation){memory->created, memory->start, memory->heap, memory->start_top, memory->image};
}

/* How far pages may have permissions or bytes without another change, those of the heap included. */
static inline uint64_t creation_end(const creation *c) {
    uint64_t end = mf_layout_len(c->start);
    uint64_t bytes_end = image_bytes_end(c->image);
    uint64_t heap_end = heap_limit(c->heap);
    end = bytes_end > end ? bytes_end : end;
    return heap_end > end ? heap_end : end;
}

#endif
