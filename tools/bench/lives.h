/* What the life of a memory costs: create, reset, clone, protect, destroy, by backend and size. */
#ifndef MEMFOLD_TOOLS_BENCH_LIVES_H
#define MEMFOLD_TOOLS_BENCH_LIVES_H

#include "bench/summary.h"

#include <memfold/status.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* So many pages are written unless a row says otherwise, at equal distances all over the memory. */
#define LIFE_WRITTEN_PAGES 16

/* One row on one size. */
typedef struct bench_life {
    const char *name;
    const char *side; /* "copy", "paged", or "peer": what others do */
    const char *peer; /* the row of the side "peer" that the ratio is over; NULL: none */
    uint64_t bytes;   /* of the one region of the layout */
    bench_summary us;
    bench_summary ratio; /* of the same rounds; all 0 without a peer */
} bench_life;

/* Many memories of one image, which have written a page each. */
typedef struct bench_crowd {
    const char *side;
    uint64_t memories; /* fewer than asked for where they would take too much */
    uint64_t image_bytes;
    double kib_each; /* resident beyond one image, page tables included */
} bench_crowd;

typedef struct bench_lives {
    bool there;
    bench_life *all; /* size by size, the same order of rows in each; rows that make no sense there lack */
    size_t count;
    bench_crowd crowds[2];
} bench_lives;

/* Each round takes every row of a size once, one after the other. */
mf_status bench_lives_measure(bench_lives *lives, unsigned rounds, bool quick, mf_diag *diag);

void bench_lives_fini(bench_lives *lives);

#endif
