/* What a fault costs: accesses to a hole, again and again. */
#include "bench/faults.h"

#include "bench/clock.h"
#include "bench/layouts.h"

#include <memfold/guard.h>
#include <memfold/llvm_maker.h>
#include <memfold/memory.h>

#define FAULTS 500
#define HOLE UINT32_C(0x8000000)

/* An accessor and the view that it faults on. */
typedef struct fault_trial {
    const mf_accessors *accessors;
    mf_view *view;
} fault_trial;

static void load_hole(mf_view *view, void *context) {
    const fault_trial *trial = context;
    ((mf_load_trap_fn *)(uintptr_t)trial->accessors->load_u32)(view, HOLE);
}

static bool fault_once(const fault_trial *trial, mf_on_fault on_fault) {
    if (on_fault == MF_ON_FAULT_TRAP)
        return !mf_guard_run(trial->view, load_hole, (void *)trial, NULL);
    return trial->accessors->load_u32(trial->view, HOLE).status == MF_PAGE_FAULT;
}

static mf_status measure_fault(bench_costs *costs, mf_jit *jit, const mf_layout *layout,
                               const mf_accessor_options *options, mf_diag *diag) {
    bench_samples samples = {.count = 0};
    mf_memory *memory;
    mf_code *code;
    mf_status status = mf_memory_create(layout, NULL, options->backend, &memory, diag);
    if (status != MF_OK)
        return status;
    status = mf_jit_get(jit, layout, options, &code, diag);
    if (status == MF_OK) {
        fault_trial trial = {mf_code_accessors(code), mf_memory_view(memory)};
        unsigned faults = 0;
        for (int i = 0; i < BENCH_SAMPLES; i++) {
            double start = bench_clock_ns();
            for (int j = 0; j < FAULTS; j++)
                faults += fault_once(&trial, options->on_fault);
            bench_samples_add(&samples, start, FAULTS);
        }
        mf_code_release(code);
        status = faults == BENCH_SAMPLES * FAULTS ? MF_OK : MF_INVALID_ARGUMENT;
        bench_costs_add(costs, "us", bench_samples_summarise(&samples, 1e3), "fault: %s, %s",
                        bench_backend_name(options->backend),
                        options->on_fault == MF_ON_FAULT_TRAP ? "guard frame" : "status");
    }
    mf_memory_destroy(memory);
    return status;
}

mf_status bench_faults_measure(bench_costs *costs, mf_diag *diag) {
    const mf_jit_config config = {.maker = mf_llvm_maker()};
    mf_jit *jit;
    mf_layout *layout = bench_layout_block(0x10000, 0x8000);
    mf_status status = mf_jit_create(&config, &jit, diag);
    if (status != MF_OK)
        return status;
    for (int i = 0; status == MF_OK && i < 4; i++) {
        mf_accessor_options options = {.backend = (mf_backend)(i / 2), .on_fault = (mf_on_fault)(i % 2)};
        status = measure_fault(costs, jit, layout, &options, diag);
    }
    mf_jit_destroy(jit);
    mf_layout_release(layout);
    return status;
}
