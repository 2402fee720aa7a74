/* Random accesses by one and by two threads. */
#ifndef MEMFOLD_TOOLS_BENCH_PARALLEL_H
#define MEMFOLD_TOOLS_BENCH_PARALLEL_H

#include "bench/compiler.h"
#include "bench/costs.h"
#include "bench/scene.h"
#include "bench/work.h"

#include <stdbool.h>

/* Prints why and returns false if an engine gives another result in two threads than in one. */
bool bench_parallel_measure(bench_costs *costs, bench_scene *scene, const bench_work *work,
                            const bench_engines *engines, const bench_code *codes);

#endif
