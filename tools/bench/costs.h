/* The list of what is measured beside accesses, and the samples that its entries are made of. */
#ifndef MEMFOLD_TOOLS_BENCH_COSTS_H
#define MEMFOLD_TOOLS_BENCH_COSTS_H

#include "bench/summary.h"

#include <memfold/options.h>
#include <memfold/status.h>

#include <stddef.h>

typedef struct bench_cost {
    char name[80]; /* "section: what, of what" */
    const char *unit;
    bench_summary value;
} bench_cost;

typedef struct bench_costs {
    bench_cost *all;
    size_t count;
} bench_costs;

/* Appends a cost, whose name is printed by `format`. */
void bench_costs_add(bench_costs *costs, const char *unit, bench_summary value, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* How often a cost is measured, unless it says otherwise, and how often at most. */
#define BENCH_SAMPLES 15
#define BENCH_SAMPLES_MAX 64

/* Samples of one cost in ns. */
typedef struct bench_samples {
    double all[BENCH_SAMPLES_MAX];
    size_t count;
} bench_samples;

/* Adds the time since `start`, for one of `times`. */
void bench_samples_add(bench_samples *samples, double start, double times);

/* In units of `unit_ns`; what the samples are is lost. */
bench_summary bench_samples_summarise(bench_samples *samples, double unit_ns);

/* Fills `diag` and returns MF_OUT_OF_MEMORY. */
mf_status bench_out_of_memory(mf_diag *diag);

/* "copy" or "paged", as the command line says. */
const char *bench_backend_name(mf_backend backend);

#endif
