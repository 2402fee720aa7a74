/* The layout that a memory has now. mf_memory_layout (memory.h) asks for it. */
#ifndef MEMFOLD_RUNTIME_LIVE_LAYOUT_H
#define MEMFOLD_RUNTIME_LIVE_LAYOUT_H

#include "memory_impl.h"

/* The permissions have changed: the layout is not known until it is asked for, and every fingerprint is 0. */
void live_layout_drop(mf_memory *memory);

/* The end of the highest page below `page` that is not NONE now, in pages. The layout is known. */
uint32_t live_layout_len_below(const mf_memory *memory, uint32_t page);

/*
 * Walks over the runs of pages that are not NONE now, and have one permission each; neighbours may have the
 * same. Where the layout is known its runs are followed, else the table.
 */
typedef struct live_walk {
    const mf_memory *memory;
    size_t next;   /* of the runs of a known layout; the heap's pages come last */
    uint32_t page; /* of the table */
} live_walk;

live_walk live_walk_begin(const mf_memory *memory);
bool live_walk_next(live_walk *walk, layout_run *run);

/* A layout without heap that has every page which is not NONE now, those of the heap included; or NULL. */
mf_layout *live_layout_of_every_page(const mf_memory *memory);

#endif
