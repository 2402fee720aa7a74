/* How many bytes of code and tables a set of accessors takes. */
#ifndef MEMFOLD_TOOLS_BENCH_SIZES_H
#define MEMFOLD_TOOLS_BENCH_SIZES_H

#include "bench/costs.h"

#include <memfold/status.h>

mf_status bench_sizes_measure(bench_costs *costs, mf_diag *diag);

#endif
