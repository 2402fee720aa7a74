/* Median and quartiles. */
#include "bench/summary.h"

#include <stdlib.h>

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
