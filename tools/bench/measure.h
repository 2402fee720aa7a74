/* A cell: all engines doing the same accesses, compared with a reference and then timed in turn. */
#ifndef MEMFOLD_TOOLS_BENCH_MEASURE_H
#define MEMFOLD_TOOLS_BENCH_MEASURE_H

#include "bench/compiler.h"
#include "bench/scene.h"
#include "bench/summary.h"
#include "bench/work.h"

#include <stdbool.h>

typedef struct bench_measurement {
    bool there;          /* the engine was measured in this cell */
    bench_summary ns;    /* per access */
    bench_summary ratio; /* to the cell's baseline, round by round */
    double instructions; /* per access; 0 if the kernel does not count them */
} bench_measurement;

typedef struct bench_cell {
    const bench_layout *layout;
    bench_pattern pattern;
    bench_set set;
    bench_measurement engines[BENCH_ENGINES_MAX];
    size_t baseline;      /* engine that ratios are to: raw, or the first exact one where raw cannot be */
    bench_summary rivals; /* the best inlined copy engine / the best exact peer, round by round; 0: none */
} bench_cell;

/*
 * Compares all engines with the reference and with each other, then times them in turn for `rounds` rounds.
 * Prints the difference and returns false if one disagrees.
 */
bool bench_cell_measure(bench_cell *cell, bench_scene *scene, const bench_work *work,
                        const bench_engines *engines, const bench_code *codes, const bench_code *reference,
                        unsigned rounds);

#endif
