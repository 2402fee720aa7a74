/* What a sweep is made of: blocks of spans of indices, each block with one heap end. */
#ifndef MEMFOLD_GEN_VERIFY_SWEEP_WORK_H
#define MEMFOLD_GEN_VERIFY_SWEEP_WORK_H

#include "verify/sweep_contract.h"

#include <memfold/sweep.h>

#include <stddef.h>

/* The indices first, ..., first + count - 1. */
typedef struct sweep_span {
    uint64_t first;
    uint64_t count;
} sweep_span;

/* A block is so many pages of an exhaustive sweep, or so many spans of another. */
#define SWEEP_BLOCK_PAGES UINT64_C(64)
#define SWEEP_BLOCK_BYTES (SWEEP_BLOCK_PAGES * MF_PAGE_SIZE)
#define SWEEP_BLOCK_SPANS 64

#define SWEEP_HEAPS_MAX 4

typedef struct sweep_work {
    bool is_exhaustive;
    bool is_paged;
    uint64_t first; /* exhaustive */
    uint64_t end;
    sweep_span *spans; /* otherwise: sorted, disjoint */
    size_t span_count;
    size_t span_capacity;
    uint32_t heaps[SWEEP_HEAPS_MAX]; /* pages that the heap has */
    uint32_t heap_count;
    uint64_t block_count;
    uint64_t index_count; /* with each heap */
} sweep_work;

/* False if the host has no memory. To be given to fini in any case. */
bool sweep_work_init(sweep_work *w, const sweep_contract *c, const mf_accessor_options *options,
                     const mf_sweep_request *request);
void sweep_work_fini(sweep_work *w);

/* The heap of a block, in pages. */
uint32_t sweep_work_heap(const sweep_work *w, uint64_t block);

/* Writes span `n` of the block, or returns false if there are fewer. */
bool sweep_work_span(const sweep_work *w, uint64_t block, uint32_t n, sweep_span *span);

/* All indices below it are in blocks before this one, in an exhaustive sweep. */
uint64_t sweep_work_begin(const sweep_work *w, uint64_t block);

#endif
