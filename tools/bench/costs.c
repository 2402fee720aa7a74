/* The list of costs. */
#include "bench/costs.h"

#include "bench/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void bench_costs_add(bench_costs *costs, const char *unit, bench_summary value, const char *format, ...) {
    va_list arguments;
    bench_cost *all = realloc(costs->all, (costs->count + 1) * sizeof *all);
    if (all == NULL)
        abort();
    costs->all = all;
    bench_cost *cost = &costs->all[costs->count++];
    *cost = (bench_cost){.unit = unit, .value = value};
    va_start(arguments, format);
    vsnprintf(cost->name, sizeof cost->name, format, arguments);
    va_end(arguments);
}

void bench_samples_add(bench_samples *samples, double start, double times) {
    if (samples->count < BENCH_SAMPLES_MAX)
        samples->all[samples->count++] = (bench_clock_ns() - start) / times;
}

bench_summary bench_samples_summarise(bench_samples *samples, double unit_ns) {
    for (size_t i = 0; i < samples->count; i++)
        samples->all[i] /= unit_ns;
    return bench_summarise(samples->all, samples->count);
}

const char *bench_backend_name(mf_backend backend) {
    return backend == MF_BACKEND_COPY ? "copy" : "paged";
}

mf_status bench_out_of_memory(mf_diag *diag) {
    return mf_diag_set(diag, MF_OUT_OF_MEMORY, 0, "%s", mf_status_message(MF_OUT_OF_MEMORY));
}
