/* Many samples in three numbers. */
#ifndef MEMFOLD_TOOLS_BENCH_SUMMARY_H
#define MEMFOLD_TOOLS_BENCH_SUMMARY_H

#include <stddef.h>

typedef struct bench_summary {
    double median, low, high; /* quartiles */
} bench_summary;

/* Median and quartiles of samples, 0 if there are none. Sorts `samples`. */
bench_summary bench_summarise(double *samples, size_t count);

#endif
