/* What making code for a layout costs. */
#ifndef MEMFOLD_TOOLS_BENCH_SPECIALISE_H
#define MEMFOLD_TOOLS_BENCH_SPECIALISE_H

#include "bench/costs.h"

#include <memfold/status.h>

#include <stdbool.h>

/* The first layout of a process: asked before anything of LLVM has run in this one. */
mf_status bench_specialise_cold(bench_costs *costs, bool quick, mf_diag *diag);
/* New layouts, their stages, and layouts that are known. */
mf_status bench_specialise_measure(bench_costs *costs, bool quick, mf_diag *diag);

#endif
