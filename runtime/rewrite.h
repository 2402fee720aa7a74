/*
 * Pages that have been written get the bytes of creation again, up to a limit. They are collected before any
 * is touched, so that of many, which huge pages soon are, not the first are written for nothing.
 */
#ifndef MEMFOLD_RUNTIME_REWRITE_H
#define MEMFOLD_RUNTIME_REWRITE_H

#include "memory_impl.h"

/*
 * A reset gives written pages back to the host beyond so many, and overwrites those before. Measured on a Zen
 * 4 virtual machine under load, in microseconds, for pages that are all in use again afterwards and for one
 * in eight in use:
 *
 *     pages              64    256   1024   2048   4096  16384
 *     overwrite all       2      7     58    190    718   6627
 *     drop, all used     98    386   4328   7658  16703  80880
 *     drop, 1/8 used     26    105    445    976   2021  20718
 *
 * Overwriting is the faster everywhere; but it also keeps the memory that a guest has used once, and touches
 * it in each life. So the limit is where that begins to be more than the second-level cache holds, with room
 * for a few huge pages.
 */
#define KEPT_PAGES_MAX 2048

#define REWRITE_RUNS 32

/* `memory` and `has_limit` are given, the rest is zero. */
typedef struct rewrite {
    mf_memory *memory;
    bool has_limit;
    bool has_stopped; /* at the limit: the pages from `stopped` on are as they were */
    uint32_t stopped;
    uint32_t pages; /* so many have been added */
    size_t waiting;
    struct rewrite_run {
        page_run pages;
        bool is_certain;
    } runs[REWRITE_RUNS];
} rewrite;

/* Pages behind those of the last call, which the host can write. False: it has stopped. */
bool rewrite_add(rewrite *r, page_run pages, bool is_certain);

/* What has been added and not been stopped has its bytes. */
void rewrite_finish(rewrite *r);

#endif
