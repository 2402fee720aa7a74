/*
 * A memory for the next guest: what pools do with one that is given back. Between the two it has no views but
 * its own, and nobody uses it.
 */
#ifndef MEMFOLD_RUNTIME_MEMORY_REUSE_H
#define MEMFOLD_RUNTIME_MEMORY_REUSE_H

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

/* The live table, which is all NONE, is that of creation; the heap is, and all views know its end. */
void memory_apply_start(mf_memory *memory);
void memory_apply_heap(mf_memory *memory);

/* What mf_memory_create makes of these two; `empty` is a layout without pages. */
creation creation_of(const mf_layout *layout, const mf_image *image, mf_layout *empty);

/* How far pages may have permissions or bytes without another change, those of the heap included. */
static inline uint64_t creation_end(const creation *c) {
    uint64_t end = mf_layout_len(c->start);
    uint64_t image_bytes_end = image_end(c->image);
    uint64_t heap_end = heap_limit(c->heap);
    end = image_bytes_end > end ? image_bytes_end : end;
    return heap_end > end ? heap_end : end;
}

/*
 * The memory is as it was created, with the stamp of that layout, and says in kept_bytes how much of the
 * host's memory it keeps. False: it is good for destroy only; so it is with the next.
 */
bool memory_renew(mf_memory *memory);

/* The memory, which was renewed, is as one that was created so. */
bool memory_reuse(mf_memory *memory, const creation *to);

#endif
