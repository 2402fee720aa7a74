/* What a fault costs, by backend and by the way it is reported. */
#ifndef MEMFOLD_TOOLS_BENCH_FAULTS_H
#define MEMFOLD_TOOLS_BENCH_FAULTS_H

#include "bench/costs.h"

#include <memfold/status.h>

mf_status bench_faults_measure(bench_costs *costs, mf_diag *diag);

#endif
