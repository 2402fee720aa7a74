/* What using memfold costs beside the accesses: making code, faults, the life of memories. */
#include "bench.h"

#include <memfold/aot.h>
#include <memfold/embed.h>
#include <memfold/guard.h>
#include <memfold/plan.h>

#include <llvm-c/Core.h>
#include <llvm-c/Object.h>

#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST_SAMPLES 64
#define SOME_SAMPLES 15

/* ---- The list ---- */

void cost_add(struct cost_list *costs, const char *unit, struct summary value, const char *format, ...) {
    va_list arguments;
    struct cost *all = realloc(costs->all, (costs->count + 1) * sizeof *all);
    if (all == NULL)
        abort();
    costs->all = all;
    struct cost *cost = &costs->all[costs->count++];
    *cost = (struct cost){.unit = unit, .value = value};
    va_start(arguments, format);
    vsnprintf(cost->name, sizeof cost->name, format, arguments);
    va_end(arguments);
}

/* Samples of one cost, in ns, reported in units of `unit_ns`. */
struct samples {
    double all[MOST_SAMPLES];
    size_t count;
};

static struct summary in_units(struct samples *samples, double unit_ns) {
    for (size_t i = 0; i < samples->count; i++)
        samples->all[i] /= unit_ns;
    return summarise(samples->all, samples->count);
}

static void sample(struct samples *samples, double start, double times) {
    if (samples->count < MOST_SAMPLES)
        samples->all[samples->count++] = (clock_ns() - start) / times;
}

static const char *backend_name(mf_backend backend) {
    return backend == MF_BACKEND_COPY ? "copy" : "paged";
}

/* ---- Specialise ---- */

/* One window at a place of its own: constants that no earlier layout had. */
static mf_layout *make_fresh(uint64_t number) {
    mf_layout_builder *builder = mf_layout_builder_create();
    mf_layout *layout = NULL;
    if (builder == NULL)
        return NULL;
    mf_layout_builder_map_region(builder, 0x10000 + number * MF_PAGE_SIZE, 0x8000, MF_READ_WRITE, NULL, 0,
                                 NULL);
    mf_layout_builder_finish(builder, &layout, NULL, NULL);
    mf_layout_builder_destroy(builder);
    return layout;
}

static mf_status time_first(double *ns) {
    mf_jit *jit;
    mf_code *code;
    mf_layout *layout = make_fresh(0);
    double start = clock_ns();
    mf_status status = mf_jit_create(NULL, &jit, NULL);
    if (status != MF_OK)
        return status;
    status = mf_jit_get(jit, layout, NULL, &code, NULL);
    *ns = clock_ns() - start;
    return status;
}

/* In a child, which has not used LLVM before, and ends without cleaning up. */
static mf_status time_first_in_child(double *ns) {
    int ends[2];
    if (pipe(ends) != 0)
        return MF_IO;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        bool done = time_first(ns) == MF_OK && write(ends[1], ns, sizeof *ns) == (ssize_t)sizeof *ns;
        _exit(done ? 0 : 1);
    }
    close(ends[1]);
    bool told = child > 0 && read(ends[0], ns, sizeof *ns) == (ssize_t)sizeof *ns;
    close(ends[0]);
    if (child > 0)
        waitpid(child, NULL, 0);
    return told ? MF_OK : MF_IO;
}

mf_status costs_cold(struct cost_list *costs, bool quick, mf_diag *diag) {
    struct samples samples = {.count = 0};
    for (int i = 0; i < (quick ? 3 : SOME_SAMPLES); i++) {
        mf_status status = time_first_in_child(&samples.all[samples.count++]);
        if (status != MF_OK) {
            *diag = (mf_diag){.status = status};
            return status;
        }
    }
    cost_add(costs, "us", in_units(&samples, 1e3), "specialise: first layout of a process");
    return MF_OK;
}

static mf_status time_new_code(mf_jit *jit, const mf_layout *layout, struct samples *samples, mf_diag *diag) {
    mf_code *code;
    double start = clock_ns();
    mf_status status = mf_jit_get(jit, layout, NULL, &code, diag);
    if (status != MF_OK)
        return status;
    sample(samples, start, 1);
    mf_code_release(code);
    return MF_OK;
}

/* Released code is freed, so every request compiles. */
static mf_status measure_new(struct cost_list *costs, mf_jit *jit, uint64_t regions, bool quick,
                             mf_diag *diag) {
    struct samples samples = {.count = 0};
    mf_layout *layout = bench_layout_regions(regions);
    mf_status status = layout == NULL ? MF_OUT_OF_MEMORY : MF_OK;
    for (int i = 0; status == MF_OK && i < (quick ? 3 : SOME_SAMPLES); i++)
        status = time_new_code(jit, layout, &samples, diag);
    mf_layout_release(layout);
    if (status == MF_OK)
        cost_add(costs, "us", in_units(&samples, 1e3), "specialise: new layout, %llu region%s",
                 (unsigned long long)regions, regions == 1 ? "" : "s");
    return status;
}

static mf_status time_stages(const mf_layout *layout, struct samples stages[3], mf_diag *diag) {
    mf_plan plan;
    char *bytes;
    size_t byte_count;
    mf_aot_options options = {.symbol_prefix = "bench"};
    double start = clock_ns();
    mf_status status = MF_OK;
    for (mf_accessor_id id = 0; status == MF_OK && id < MF_ACCESSOR_COUNT; id++)
        status = mf_plan_make(layout, id, NULL, &plan, diag);
    sample(&stages[0], start, 1);
    LLVMContextRef context = LLVMContextCreate();
    LLVMModuleRef module = LLVMModuleCreateWithNameInContext("bench", context);
    start = clock_ns();
    if (status == MF_OK)
        status = mf_embed_define(module, layout, NULL, "bench", NULL, diag);
    sample(&stages[1], start, 1);
    LLVMDisposeModule(module);
    LLVMContextDispose(context);
    start = clock_ns();
    if (status == MF_OK)
        status = mf_aot_emit(layout, &options, MF_EMIT_OBJECT, &bytes, &byte_count, diag);
    sample(&stages[2], start, 1);
    if (status == MF_OK)
        mf_aot_free(bytes);
    return status;
}

static mf_status measure_stages(struct cost_list *costs, uint64_t regions, bool quick, mf_diag *diag) {
    static const char *const names[] = {"plans", "plans and IR", "plans, IR and object"};
    struct samples stages[3] = {{.count = 0}, {.count = 0}, {.count = 0}};
    mf_layout *layout = bench_layout_regions(regions);
    mf_status status = layout == NULL ? MF_OUT_OF_MEMORY : MF_OK;
    for (int i = 0; status == MF_OK && i < (quick ? 3 : SOME_SAMPLES); i++)
        status = time_stages(layout, stages, diag);
    mf_layout_release(layout);
    for (int stage = 0; status == MF_OK && stage < 3; stage++)
        cost_add(costs, "us", in_units(&stages[stage], 1e3), "specialise: %s, %llu region%s", names[stage],
                 (unsigned long long)regions, regions == 1 ? "" : "s");
    return status;
}

/* A thread that asks for known code. */
struct asker {
    mf_jit *jit;
    const mf_layout *layout;
    uint64_t times;
    double ns;
    bool failed;
};

static void *ask(void *context) {
    struct asker *asker = context;
    double start = clock_ns();
    for (uint64_t i = 0; i < asker->times; i++) {
        mf_code *code;
        if (mf_jit_get(asker->jit, asker->layout, NULL, &code, NULL) != MF_OK) {
            asker->failed = true;
            return NULL;
        }
        mf_code_release(code);
    }
    asker->ns = (clock_ns() - start) / (double)asker->times;
    return NULL;
}

/* The slower thread's time. */
static bool ask_together(struct asker *askers, unsigned threads, struct samples *samples) {
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

static mf_status measure_repeat(struct cost_list *costs, mf_jit *jit, unsigned threads, bool quick,
                                mf_diag *diag) {
    struct samples samples = {.count = 0};
    mf_layout *layout = bench_layout_regions(16);
    mf_code *held;
    mf_status status = mf_jit_get(jit, layout, NULL, &held, diag);
    if (status != MF_OK)
        return status;
    struct asker asker = {.jit = jit, .layout = layout, .times = quick ? 10000 : 100000};
    for (int i = 0; status == MF_OK && i < SOME_SAMPLES; i++) {
        struct asker askers[2] = {asker, asker};
        status = ask_together(askers, threads, &samples) ? MF_OK : MF_OUT_OF_MEMORY;
    }
    mf_code_release(held);
    mf_layout_release(layout);
    cost_add(costs, "ns", in_units(&samples, 1), "specialise: known layout, %u thread%s asking", threads,
             threads == 1 ? "" : "s");
    return status;
}

static mf_status measure_specialise(struct cost_list *costs, bool quick, mf_diag *diag) {
    mf_jit *jit;
    mf_status status = mf_jit_create(NULL, &jit, diag);
    if (status != MF_OK)
        return status;
    static const uint64_t regions[] = {1, 4096};
    for (int i = 0; status == MF_OK && i < 2; i++) {
        status = measure_new(costs, jit, regions[i], quick, diag);
        if (status == MF_OK)
            status = measure_stages(costs, regions[i], quick, diag);
    }
    for (unsigned threads = 1; status == MF_OK && threads <= 2; threads++)
        status = measure_repeat(costs, jit, threads, quick, diag);
    mf_jit_destroy(jit);
    return status;
}

/* ---- Faults ---- */

#define FAULTS 500
#define HOLE UINT32_C(0x8000000)

/* What is tried again and again. */
struct trial {
    const mf_accessors *accessors;
    mf_view *view;
};

static void load_hole(mf_view *view, void *context) {
    const struct trial *trial = context;
    ((mf_load_trap_fn *)(uintptr_t)trial->accessors->load_u32)(view, HOLE);
}

static bool fault_once(const struct trial *trial, mf_on_fault on_fault) {
    if (on_fault == MF_ON_FAULT_TRAP)
        return !mf_guard_run(trial->view, load_hole, (void *)trial, NULL);
    return trial->accessors->load_u32(trial->view, HOLE).status == MF_PAGE_FAULT;
}

static mf_status measure_fault(struct cost_list *costs, mf_jit *jit, const mf_layout *layout,
                               const mf_accessor_options *options, mf_diag *diag) {
    struct samples samples = {.count = 0};
    mf_memory *memory;
    mf_code *code;
    mf_status status = mf_memory_create(layout, NULL, options->backend, &memory, diag);
    if (status != MF_OK)
        return status;
    status = mf_jit_get(jit, layout, options, &code, diag);
    if (status == MF_OK) {
        struct trial trial = {mf_code_accessors(code), mf_memory_view(memory)};
        unsigned faults = 0;
        for (int i = 0; i < SOME_SAMPLES; i++) {
            double start = clock_ns();
            for (int j = 0; j < FAULTS; j++)
                faults += fault_once(&trial, options->on_fault);
            sample(&samples, start, FAULTS);
        }
        mf_code_release(code);
        status = faults == SOME_SAMPLES * FAULTS ? MF_OK : MF_INVALID_ARGUMENT;
        cost_add(costs, "us", in_units(&samples, 1e3), "fault: %s, %s", backend_name(options->backend),
                 options->on_fault == MF_ON_FAULT_TRAP ? "guard frame" : "status");
    }
    mf_memory_destroy(memory);
    return status;
}

static mf_status measure_faults(struct cost_list *costs, mf_diag *diag) {
    mf_jit *jit;
    mf_layout *layout = make_fresh(0);
    mf_status status = mf_jit_create(NULL, &jit, diag);
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

/* ---- The life of a memory ---- */

enum life { LIFE_CREATE, LIFE_CLONE, LIFE_RESET, LIFE_PROTECT, LIFE_DESTROY, LIFE_COUNT };
static const char *const life_names[LIFE_COUNT] = {"create", "clone", "reset", "protect a page", "destroy"};

static void touch(mf_memory *memory, uint64_t bytes) {
    unsigned char *base = mf_memory_view(memory)->base;
    for (uint64_t at = 0; at < bytes; at += MF_PAGE_SIZE)
        base[at] = 1;
}

static mf_status live_once(const mf_layout *layout, mf_backend backend, struct samples lives[LIFE_COUNT],
                           mf_diag *diag) {
    mf_memory *memory, *clone;
    double start = clock_ns();
    mf_status status = mf_memory_create(layout, NULL, backend, &memory, diag);
    if (status != MF_OK)
        return status;
    sample(&lives[LIFE_CREATE], start, 1);
    uint64_t bytes = mf_layout_len(layout);
    touch(memory, bytes);
    start = clock_ns();
    status = mf_memory_clone(memory, &clone, diag);
    if (status == MF_OK) {
        sample(&lives[LIFE_CLONE], start, 1);
        start = clock_ns();
        mf_memory_destroy(clone);
        sample(&lives[LIFE_DESTROY], start, 1);
        start = clock_ns();
        status = mf_memory_protect(memory, bytes / 2, MF_PAGE_SIZE, MF_PERM_RO, diag);
        sample(&lives[LIFE_PROTECT], start, 1);
        start = clock_ns();
        status = status == MF_OK ? mf_memory_reset(memory, diag) : status;
        sample(&lives[LIFE_RESET], start, 1);
    }
    mf_memory_destroy(memory);
    return status;
}

static mf_layout *make_block(uint64_t bytes) {
    mf_layout_builder *builder = mf_layout_builder_create();
    mf_layout *layout = NULL;
    if (builder == NULL)
        return NULL;
    mf_layout_builder_map_region(builder, 0, bytes, MF_READ_WRITE, NULL, 0, NULL);
    mf_layout_builder_finish(builder, &layout, NULL, NULL);
    mf_layout_builder_destroy(builder);
    return layout;
}

static mf_status measure_life(struct cost_list *costs, mf_backend backend, uint64_t bytes, int times,
                              const char *size, mf_diag *diag) {
    struct samples lives[LIFE_COUNT];
    mf_layout *layout = make_block(bytes);
    mf_status status = layout == NULL ? MF_OUT_OF_MEMORY : MF_OK;
    memset(lives, 0, sizeof lives);
    for (int i = 0; status == MF_OK && i < times; i++)
        status = live_once(layout, backend, lives, diag);
    for (int life = 0; status == MF_OK && life < LIFE_COUNT; life++)
        cost_add(costs, "us", in_units(&lives[life], 1e3), "life: %s, %s, %s", life_names[life],
                 backend_name(backend), size);
    mf_layout_release(layout);
    return status;
}

static mf_status measure_lives(struct cost_list *costs, bool quick, mf_diag *diag) {
    static const struct {
        uint64_t bytes;
        const char *name;
    } sizes[] = {{1 << 16, "64 KiB"}, {1 << 20, "1 MiB"}, {1 << 28, "256 MiB"}};
    mf_status status = MF_OK;
    for (int size = 0; size < (quick ? 2 : 3); size++)
        for (int backend = MF_BACKEND_COPY; status == MF_OK && backend <= MF_BACKEND_X86_PAGED; backend++)
            status = measure_life(costs, (mf_backend)backend, sizes[size].bytes, size == 2 ? 5 : SOME_SAMPLES,
                                  sizes[size].name, diag);
    return status;
}

/* ---- Bytes of code and data ---- */

/* The bytes of an object's sections whose names begin with `prefix`. */
static uint64_t section_bytes(LLVMBinaryRef object, const char *prefix) {
    uint64_t bytes = 0;
    LLVMSectionIteratorRef at = LLVMObjectFileCopySectionIterator(object);
    while (!LLVMObjectFileIsSectionIteratorAtEnd(object, at)) {
        const char *name = LLVMGetSectionName(at);
        if (name != NULL && strncmp(name, prefix, strlen(prefix)) == 0)
            bytes += LLVMGetSectionSize(at);
        LLVMMoveToNextSection(at);
    }
    LLVMDisposeSectionIterator(at);
    return bytes;
}

static struct summary exactly(double value) {
    return (struct summary){value, value, value};
}

static mf_status measure_size(struct cost_list *costs, mf_backend backend, uint64_t regions, mf_diag *diag) {
    mf_aot_options options = {.symbol_prefix = "bench", .accessors = {.backend = backend}};
    mf_layout *layout = bench_layout_regions(regions);
    char *bytes, *message = NULL;
    size_t byte_count;
    mf_status status = mf_aot_emit(layout, &options, MF_EMIT_OBJECT, &bytes, &byte_count, diag);
    mf_layout_release(layout);
    if (status != MF_OK)
        return status;
    LLVMMemoryBufferRef buffer = LLVMCreateMemoryBufferWithMemoryRangeCopy(bytes, byte_count, "object");
    LLVMBinaryRef object = LLVMCreateBinary(buffer, NULL, &message);
    if (object != NULL) {
        cost_add(costs, "bytes", exactly((double)section_bytes(object, ".text")),
                 "size: code of a set, %s, %llu regions", backend_name(backend), (unsigned long long)regions);
        cost_add(costs, "bytes", exactly((double)section_bytes(object, ".rodata")),
                 "size: tables of a set, %s, %llu regions", backend_name(backend),
                 (unsigned long long)regions);
        LLVMDisposeBinary(object);
    }
    LLVMDisposeMessage(message);
    LLVMDisposeMemoryBuffer(buffer);
    mf_aot_free(bytes);
    return object == NULL ? MF_LLVM : MF_OK;
}

static mf_status measure_sizes(struct cost_list *costs, mf_diag *diag) {
    static const uint64_t regions[] = {1, 16, 256, 4096};
    mf_status status = MF_OK;
    for (int backend = MF_BACKEND_COPY; backend <= MF_BACKEND_X86_PAGED; backend++)
        for (int i = 0; status == MF_OK && i < (backend == MF_BACKEND_COPY ? 4 : 1); i++)
            status = measure_size(costs, (mf_backend)backend, regions[i], diag);
    return status;
}

mf_status costs_measure(struct cost_list *costs, unsigned sections, bool quick, mf_diag *diag) {
    mf_status status = MF_OK;
    if (sections & SECTION_SPECIALISE)
        status = measure_specialise(costs, quick, diag);
    if (status == MF_OK && (sections & SECTION_FAULT))
        status = measure_faults(costs, diag);
    if (status == MF_OK && (sections & SECTION_LIFE))
        status = measure_lives(costs, quick, diag);
    if (status == MF_OK && (sections & SECTION_SIZE))
        status = measure_sizes(costs, diag);
    return status;
}
