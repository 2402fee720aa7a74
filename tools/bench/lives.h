/* What the life of a memory costs: create, clone, reset, protect, destroy. */
#ifndef MEMFOLD_TOOLS_BENCH_LIVES_H
#define MEMFOLD_TOOLS_BENCH_LIVES_H

#include "bench/costs.h"

#include <memfold/status.h>

#include <stdbool.h>

mf_status bench_lives_measure(bench_costs *costs, bool quick, mf_diag *diag);

#endif
