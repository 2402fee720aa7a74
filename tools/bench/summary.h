/* Many samples in three numbers. */
#ifndef MEMFOLD_TOOLS_BENCH_SUMMARY_H
#define MEMFOLD_TOOLS_BENCH_SUMMARY_H

#include <stddef.h>

typedef struct bench_summary {
    double median, low, high; /* quartiles */
} bench_summary;

/* Median and quartiles of samples, 0 if there are none. Sorts `samples`. */
bench_summary bench_summarise(double *samples, size_t count);

/* The same, and the samples stay in the order of the rounds; and of the ratios a[i] / b[i] of each round. */
bench_summary bench_summarise_copy(const double *samples, size_t count);
bench_summary bench_summarise_ratio(const double *a, const double *b, size_t count);

#endif
