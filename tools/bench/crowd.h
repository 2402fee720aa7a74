/* How much of the host's memory many memories of one image take. */
#ifndef MEMFOLD_TOOLS_BENCH_CROWD_H
#define MEMFOLD_TOOLS_BENCH_CROWD_H

#include "bench/lives.h"

#include <memfold/options.h>

/* Of 1,000 memories of a 16 MiB image, or of fewer where `quick` or where they would take gigabytes. */
mf_status bench_crowd_measure(bench_crowd *crowd, mf_backend backend, bool quick, mf_diag *diag);

#endif
