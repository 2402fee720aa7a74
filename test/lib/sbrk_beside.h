/*
 * Threads that access a memory while others grow its heap. Each access must be one that some heap end between
 * the last that was surely there before and the first that was surely not there after it explains: what is
 * done lies below, what faults names a page above; new bytes are zero, and no store is lost.
 */
#ifndef MEMFOLD_TEST_SBRK_BESIDE_H
#define MEMFOLD_TEST_SBRK_BESIDE_H

#include "engines.h"

typedef struct beside {
    const char *name;
    mf_memory *memory;       /* borrowed; read-write below the heap, and NONE where it grows */
    const mf_accessors *set; /* for `options` */
    mf_accessor_options options;
    bool is_instrumented; /* a sanitizer of threads sees the accesses, and so whether they acquire */
} beside;

/* Every round fills the heap from its base to its maximum. Prints a line; a mistake ends the program. */
void sbrk_beside_run(const beside *b, unsigned rounds);

/* Regions that all checks with a growing end can be made for, and a heap behind them; `above` adds one more.
 */
mf_layout *sbrk_beside_layout(bool above);

#endif
