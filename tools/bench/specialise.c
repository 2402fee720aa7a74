/* What making code for a layout costs: the first of a process, a new one stage by stage, a known one. */
#include "bench/specialise.h"

#include "bench/clock.h"
#include "bench/layouts.h"

#include <memfold/aot.h>
#include <memfold/embed.h>
#include <memfold/llvm_maker.h>
#include <memfold/plan.h>
#include <memfold/stencil.h>

#include <llvm-c/Core.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* So many sets take as long as a clock can tell apart. */
#define EMITS_A_SAMPLE 100

/* Who makes the code: LLVM, or the stencils, in the names of rows. */
static const char *maker_name(const mf_code_maker *maker) {
    return maker == NULL ? "stencils" : "LLVM";
}

static mf_status time_first(const mf_code_maker *maker, double *ns) {
    const mf_jit_config config = {.maker = maker};
    mf_jit *jit;
    mf_code *code;
    mf_layout *layout = bench_layout_block(0x10000, 0x8000);
    double start = bench_clock_ns();
    mf_status status = mf_jit_create(&config, &jit, NULL);
    if (status != MF_OK)
        return status;
    status = mf_jit_get(jit, layout, NULL, &code, NULL);
    *ns = bench_clock_ns() - start;
    return status;
}

/* In a child process, which has not used the maker before. It ends without cleaning up. */
static mf_status time_first_in_child(const mf_code_maker *maker, double *ns) {
    int ends[2];
    if (pipe(ends) != 0)
        return MF_IO;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        bool done = time_first(maker, ns) == MF_OK && write(ends[1], ns, sizeof *ns) == (ssize_t)sizeof *ns;
        _exit(done ? 0 : 1);
    }
    close(ends[1]);
    bool told = child > 0 && read(ends[0], ns, sizeof *ns) == (ssize_t)sizeof *ns;
    close(ends[0]);
    if (child > 0)
        waitpid(child, NULL, 0);
    return told ? MF_OK : MF_IO;
}

static mf_status measure_cold(bench_costs *costs, const mf_code_maker *maker, bool quick, mf_diag *diag) {
    bench_samples samples = {.count = 0};
    for (int i = 0; i < (quick ? 3 : BENCH_SAMPLES); i++) {
        mf_status status = time_first_in_child(maker, &samples.all[samples.count++]);
        if (status != MF_OK) {
            *diag = (mf_diag){.status = status};
            return status;
        }
    }
    bench_costs_add(costs, "us", bench_samples_summarise(&samples, 1e3),
                    "specialise: first layout of a process, %s", maker_name(maker));
    return MF_OK;
}

mf_status bench_specialise_cold(bench_costs *costs, bool quick, mf_diag *diag) {
    mf_status status = measure_cold(costs, mf_llvm_maker(), quick, diag);
    return status == MF_OK ? measure_cold(costs, NULL, quick, diag) : status;
}

static mf_status time_new_code(mf_jit *jit, const mf_layout *layout, bench_samples *samples, mf_diag *diag) {
    mf_code *code;
    double start = bench_clock_ns();
    mf_status status = mf_jit_get(jit, layout, NULL, &code, diag);
    if (status != MF_OK)
        return status;
    bench_samples_add(samples, start, 1);
    mf_code_release(code);
    return MF_OK;
}

/* Released code is freed, so every request makes it. */
static mf_status measure_new(bench_costs *costs, mf_jit *jit, const mf_code_maker *maker, uint64_t regions,
                             bool quick, mf_diag *diag) {
    bench_samples samples = {.count = 0};
    mf_layout *layout = bench_layout_regions(regions);
    mf_status status = layout == NULL ? bench_out_of_memory(diag) : MF_OK;
    for (int i = 0; status == MF_OK && i < (quick ? 3 : BENCH_SAMPLES); i++)
        status = time_new_code(jit, layout, &samples, diag);
    mf_layout_release(layout);
    if (status == MF_OK)
        bench_costs_add(costs, "us", bench_samples_summarise(&samples, 1e3),
                        "specialise: new layout, %llu region%s, %s", (unsigned long long)regions,
                        regions == 1 ? "" : "s", maker_name(maker));
    return status;
}

/* Code of stencils in a buffer, without an arena or a cache: its plans, and all of it. */
static mf_status time_emit(const mf_layout *layout, void *buffer, size_t bytes, bench_samples stages[2],
                           mf_diag *diag) {
    mf_status status = MF_OK;
    double start = bench_clock_ns();
    for (int times = 0; status == MF_OK && times < EMITS_A_SAMPLE; times++) {
        size_t size;
        status = mf_stencil_size(layout, NULL, &size, diag);
    }
    bench_samples_add(&stages[0], start, EMITS_A_SAMPLE);
    start = bench_clock_ns();
    for (int times = 0; status == MF_OK && times < EMITS_A_SAMPLE; times++) {
        mf_stencil_set set;
        status = mf_stencil_emit(layout, NULL, buffer, bytes, &set, diag);
    }
    bench_samples_add(&stages[1], start, EMITS_A_SAMPLE);
    return status;
}

static mf_status measure_emit(bench_costs *costs, uint64_t regions, bool quick, mf_diag *diag) {
    static const char *const names[] = {"plans and choice of stencils", "plans and stencils in a buffer"};
    bench_samples stages[2] = {{.count = 0}, {.count = 0}};
    mf_layout *layout = bench_layout_regions(regions);
    size_t bytes = 0;
    mf_status status =
        layout == NULL ? bench_out_of_memory(diag) : mf_stencil_size(layout, NULL, &bytes, diag);
    void *buffer = status == MF_OK ? malloc(bytes) : NULL;
    if (status == MF_OK && buffer == NULL)
        status = bench_out_of_memory(diag);
    for (int i = 0; status == MF_OK && i < (quick ? 3 : BENCH_SAMPLES); i++)
        status = time_emit(layout, buffer, bytes, stages, diag);
    free(buffer);
    mf_layout_release(layout);
    for (int stage = 0; status == MF_OK && stage < 2; stage++)
        bench_costs_add(costs, "us", bench_samples_summarise(&stages[stage], 1e3),
                        "specialise: %s, %llu region%s", names[stage], (unsigned long long)regions,
                        regions == 1 ? "" : "s");
    return status;
}

static mf_status time_stages(const mf_layout *layout, bench_samples stages[3], mf_diag *diag) {
    mf_plan plan;
    char *bytes;
    size_t byte_count;
    mf_aot_options options = {.symbol_prefix = "bench"};
    double start = bench_clock_ns();
    mf_status status = MF_OK;
    for (mf_accessor_id id = 0; status == MF_OK && id < MF_ACCESSOR_COUNT; id++)
        status = mf_plan_make(layout, id, NULL, &plan, diag);
    bench_samples_add(&stages[0], start, 1);
    LLVMContextRef context = LLVMContextCreate();
    LLVMModuleRef module = LLVMModuleCreateWithNameInContext("bench", context);
    start = bench_clock_ns();
    if (status == MF_OK)
        status = mf_embed_define(module, layout, NULL, "bench", NULL, diag);
    bench_samples_add(&stages[1], start, 1);
    LLVMDisposeModule(module);
    LLVMContextDispose(context);
    start = bench_clock_ns();
    if (status == MF_OK)
        status = mf_aot_emit(layout, &options, MF_EMIT_OBJECT, &bytes, &byte_count, diag);
    bench_samples_add(&stages[2], start, 1);
    if (status == MF_OK)
        mf_aot_free(bytes);
    return status;
}

static mf_status measure_stages(bench_costs *costs, uint64_t regions, bool quick, mf_diag *diag) {
    static const char *const names[] = {"plans", "plans and IR", "plans, IR and object"};
    bench_samples stages[3] = {{.count = 0}, {.count = 0}, {.count = 0}};
    mf_layout *layout = bench_layout_regions(regions);
    mf_status status = layout == NULL ? bench_out_of_memory(diag) : MF_OK;
    for (int i = 0; status == MF_OK && i < (quick ? 3 : BENCH_SAMPLES); i++)
        status = time_stages(layout, stages, diag);
    mf_layout_release(layout);
    for (int stage = 0; status == MF_OK && stage < 3; stage++)
        bench_costs_add(costs, "us", bench_samples_summarise(&stages[stage], 1e3),
                        "specialise: %s, %llu region%s", names[stage], (unsigned long long)regions,
                        regions == 1 ? "" : "s");
    return status;
}

/* A thread that asks for known code. */
typedef struct code_asker {
    mf_jit *jit;
    const mf_layout *layout;
    uint64_t times;
    double ns;
    bool failed;
} code_asker;

static void *ask(void *context) {
    code_asker *asker = context;
    double start = bench_clock_ns();
    for (uint64_t i = 0; i < asker->times; i++) {
        mf_code *code;
        if (mf_jit_get(asker->jit, asker->layout, NULL, &code, NULL) != MF_OK) {
            asker->failed = true;
            return NULL;
        }
        mf_code_release(code);
    }
    asker->ns = (bench_clock_ns() - start) / (double)asker->times;
    return NULL;
}

/* The slower thread's time. */
static bool ask_together(code_asker *askers, unsigned threads, bench_samples *samples) {
    pthread_t other;
    bool together = threads == 2;
    if (together && pthread_create(&other, NULL, ask, &askers[1]) != 0)
        return false;
    ask(&askers[0]);
    if (together)
        pthread_join(other, NULL);
    double slower = together && askers[1].ns > askers[0].ns ? askers[1].ns : askers[0].ns;
    samples->all[samples->count++] = slower;
    return !askers[0].failed && !(together && askers[1].failed);
}

static mf_status measure_repeat(bench_costs *costs, mf_jit *jit, const mf_code_maker *maker, unsigned threads,
                                bool quick, mf_diag *diag) {
    bench_samples samples = {.count = 0};
    mf_layout *layout = bench_layout_regions(16);
    mf_code *held;
    mf_status status =
        layout == NULL ? bench_out_of_memory(diag) : mf_jit_get(jit, layout, NULL, &held, diag);
    if (status != MF_OK) {
        mf_layout_release(layout);
        return status;
    }
    code_asker asker = {.jit = jit, .layout = layout, .times = quick ? 10000 : 100000};
    for (int i = 0; status == MF_OK && i < BENCH_SAMPLES; i++) {
        code_asker askers[2] = {asker, asker};
        status = ask_together(askers, threads, &samples) ? MF_OK : bench_out_of_memory(diag);
    }
    mf_code_release(held);
    mf_layout_release(layout);
    bench_costs_add(costs, "ns", bench_samples_summarise(&samples, 1),
                    "specialise: known layout, %u thread%s asking, %s", threads, threads == 1 ? "" : "s",
                    maker_name(maker));
    return status;
}

/* New layouts and known ones, by one maker. */
static mf_status measure_jit(bench_costs *costs, const mf_code_maker *maker, const uint64_t *regions,
                             size_t count, bool quick, mf_diag *diag) {
    const mf_jit_config config = {.maker = maker};
    mf_jit *jit;
    mf_status status = mf_jit_create(&config, &jit, diag);
    if (status != MF_OK)
        return status;
    for (size_t i = 0; status == MF_OK && i < count; i++)
        status = measure_new(costs, jit, maker, regions[i], quick, diag);
    for (unsigned threads = 1; status == MF_OK && threads <= 2; threads++)
        status = measure_repeat(costs, jit, maker, threads, quick, diag);
    mf_jit_destroy(jit);
    return status;
}

mf_status bench_specialise_measure(bench_costs *costs, bool quick, mf_diag *diag) {
    static const uint64_t of_llvm[] = {1, 4096}, of_stencils[] = {1, 4, 16, 4096};
    mf_status status = measure_jit(costs, mf_llvm_maker(), of_llvm, 2, quick, diag);
    for (int i = 0; status == MF_OK && i < 2; i++)
        status = measure_stages(costs, of_llvm[i], quick, diag);
    if (status == MF_OK)
        status = measure_jit(costs, NULL, of_stencils, 4, quick, diag);
    for (int i = 0; status == MF_OK && i < 3; i++)
        status = measure_emit(costs, of_stencils[i], quick, diag);
    return status;
}
