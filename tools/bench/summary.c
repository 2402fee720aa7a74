/* Median and quartiles. */
#include "bench/summary.h"

#include <stdlib.h>
#include <string.h>

static int by_value(const void *a, const void *b) {
    double left = *(const double *)a;
    double right = *(const double *)b;
    return (left > right) - (left < right);
}

/* Interpolated between the two nearest samples. */
static double quantile(const double *sorted, size_t count, double part) {
    double place = part * (double)(count - 1);
    size_t below = (size_t)place;
    double rest = place - (double)below;
    return below + 1 < count ? sorted[below] * (1 - rest) + sorted[below + 1] * rest : sorted[below];
}

bench_summary bench_summarise(double *samples, size_t count) {
    if (count == 0)
        return (bench_summary){0, 0, 0};
    qsort(samples, count, sizeof *samples, by_value);
    return (bench_summary){quantile(samples, count, 0.5), quantile(samples, count, 0.25),
                           quantile(samples, count, 0.75)};
}

static double *allocate(size_t count) {
    double *samples = calloc(count, sizeof *samples);
    if (samples == NULL)
        abort();
    return samples;
}

bench_summary bench_summarise_copy(const double *samples, size_t count) {
    double *copy = allocate(count);
    memcpy(copy, samples, count * sizeof *copy);
    bench_summary summary = bench_summarise(copy, count);
    free(copy);
    return summary;
}

bench_summary bench_summarise_ratio(const double *a, const double *b, size_t count) {
    double *ratios = allocate(count);
    for (size_t i = 0; i < count; i++)
        ratios[i] = a[i] / b[i];
    bench_summary summary = bench_summarise(ratios, count);
    free(ratios);
    return summary;
}
