/* What the life of a memory costs, by backend and size, with every page touched. */
#include "bench/lives.h"

#include "bench/clock.h"
#include "bench/layouts.h"

#include <memfold/memory.h>

#include <string.h>

typedef enum life_stage {
    LIFE_CREATE,
    LIFE_CLONE,
    LIFE_RESET,
    LIFE_PROTECT,
    LIFE_DESTROY,
    LIFE_COUNT
} life_stage;
static const char *const life_names[LIFE_COUNT] = {"create", "clone", "reset", "protect a page", "destroy"};

static void touch(mf_memory *memory, uint64_t bytes) {
    unsigned char *base = mf_memory_view(memory)->base;
    for (uint64_t at = 0; at < bytes; at += MF_PAGE_SIZE)
        base[at] = 1;
}

static mf_status live_once(const mf_layout *layout, mf_backend backend, bench_samples lives[LIFE_COUNT],
                           mf_diag *diag) {
    mf_memory *memory, *clone;
    double start = bench_clock_ns();
    mf_status status = mf_memory_create(layout, NULL, backend, &memory, diag);
    if (status != MF_OK)
        return status;
    bench_samples_add(&lives[LIFE_CREATE], start, 1);
    uint64_t bytes = mf_layout_len(layout);
    touch(memory, bytes);
    start = bench_clock_ns();
    status = mf_memory_clone(memory, &clone, diag);
    if (status == MF_OK) {
        bench_samples_add(&lives[LIFE_CLONE], start, 1);
        start = bench_clock_ns();
        mf_memory_destroy(clone);
        bench_samples_add(&lives[LIFE_DESTROY], start, 1);
        start = bench_clock_ns();
        status = mf_memory_protect(memory, bytes / 2, MF_PAGE_SIZE, MF_PERM_RO, diag);
        bench_samples_add(&lives[LIFE_PROTECT], start, 1);
        start = bench_clock_ns();
        status = status == MF_OK ? mf_memory_reset(memory, diag) : status;
        bench_samples_add(&lives[LIFE_RESET], start, 1);
    }
    mf_memory_destroy(memory);
    return status;
}

static mf_status measure_life(bench_costs *costs, mf_backend backend, uint64_t bytes, int times,
                              const char *size, mf_diag *diag) {
    bench_samples lives[LIFE_COUNT];
    mf_layout *layout = bench_layout_block(0, bytes);
    mf_status status = layout == NULL ? bench_out_of_memory(diag) : MF_OK;
    memset(lives, 0, sizeof lives);
    for (int i = 0; status == MF_OK && i < times; i++)
        status = live_once(layout, backend, lives, diag);
    for (int life = 0; status == MF_OK && life < LIFE_COUNT; life++)
        bench_costs_add(costs, "us", bench_samples_summarise(&lives[life], 1e3), "life: %s, %s, %s",
                        life_names[life], bench_backend_name(backend), size);
    mf_layout_release(layout);
    return status;
}

mf_status bench_lives_measure(bench_costs *costs, bool quick, mf_diag *diag) {
    static const struct {
        uint64_t bytes;
        const char *name;
    } sizes[] = {{1 << 16, "64 KiB"}, {1 << 20, "1 MiB"}, {1 << 28, "256 MiB"}};
    mf_status status = MF_OK;
    for (int size = 0; size < (quick ? 2 : 3); size++)
        for (int backend = MF_BACKEND_COPY; status == MF_OK && backend <= MF_BACKEND_X86_PAGED; backend++)
            status = measure_life(costs, (mf_backend)backend, sizes[size].bytes,
                                  size == 2 ? 5 : BENCH_SAMPLES, sizes[size].name, diag);
    return status;
}
