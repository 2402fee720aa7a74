/* Random accesses by one and by two threads, each with a view of its own on the same memory. */
#include "bench/parallel.h"

#include "bench/clock.h"
#include "command.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 15
#define REPEATS 20

/* What one thread does, and what it finds. */
typedef struct thread_part {
    guest_view guest;
    guest_loop *loop;
    guest_batch batch;
    guest_tally tally;
    pthread_barrier_t *start;
    double ns;
} thread_part;

static void *run_part(void *context) {
    thread_part *part = context;
    pthread_barrier_wait(part->start);
    double start = bench_clock_ns();
    part->loop(&part->guest.view, &part->batch, &part->tally);
    part->ns = bench_clock_ns() - start;
    return NULL;
}

/* The slower part's time per access, negative if there is no second thread. */
static double run_parts(thread_part *parts, unsigned threads) {
    pthread_t other;
    pthread_barrier_t start;
    if (pthread_barrier_init(&start, NULL, threads) != 0)
        return -1;
    parts[0].start = parts[1].start = &start;
    if (threads == 2 && pthread_create(&other, NULL, run_part, &parts[1]) != 0) {
        pthread_barrier_destroy(&start);
        return -1;
    }
    run_part(&parts[0]);
    if (threads == 2)
        pthread_join(other, NULL);
    pthread_barrier_destroy(&start);
    double ns = threads == 2 && parts[1].ns > parts[0].ns ? parts[1].ns : parts[0].ns;
    return ns / (double)(parts[0].batch.count * parts[0].batch.repeats);
}

static void make_parts(thread_part parts[2], bench_scene *scene, const bench_work *work,
                       const bench_engine *spec, const bench_code *code) {
    mf_backend backend = spec->options.backend;
    for (int i = 0; i < 2; i++) {
        memset(&parts[i], 0, sizeof parts[i]);
        parts[i].guest = scene->guests[backend];
        mf_view_attach(&parts[i].guest.view, scene->memories[backend]);
        parts[i].loop = code->loops[bench_work_loop(work)];
        parts[i].batch = work->batch;
        parts[i].batch.repeats = REPEATS;
        if (code->accessors != NULL) {
            parts[i].guest.load_u32 = code->accessors->load_u32;
            parts[i].guest.store_u32 = code->accessors->store_u32;
        }
    }
}

/*
 * All threads store the same value at an address. So from the second batch on each loads the same values,
 * whoever comes first.
 */
static bool run_rounds(thread_part parts[2], unsigned threads, double samples[ROUNDS]) {
    guest_tally seen = {0, 0};
    if (run_parts(parts, 1) < 0)
        return false;
    for (unsigned round = 0; round <= ROUNDS; round++) {
        double ns = run_parts(parts, threads);
        for (unsigned i = 0; i < threads; i++) {
            if (round == 0 && i == 0)
                seen = parts[0].tally;
            if (ns < 0 || parts[i].tally.sum != seen.sum || parts[i].tally.faults != 0)
                return false;
        }
        if (round > 0)
            samples[round - 1] = ns;
    }
    return true;
}

bool bench_parallel_measure(bench_costs *costs, bench_scene *scene, const bench_work *work,
                            const bench_engines *engines, const bench_code *codes) {
    thread_part *parts = calloc(2, sizeof *parts);
    bool agreed = parts != NULL;
    for (size_t i = 0; agreed && i < engines->count; i++) {
        if (codes[i].loops[0] == NULL || strcmp(engines->all[i].name, "list") == 0)
            continue;
        for (unsigned threads = 1; agreed && threads <= 2; threads++) {
            double samples[ROUNDS];
            make_parts(parts, scene, work, &engines->all[i], &codes[i]);
            agreed = run_rounds(parts, threads, samples);
            for (int p = 0; p < 2; p++)
                mf_view_detach(&parts[p].guest.view);
            if (!agreed)
                fail_print(NULL, 0, "bench: %s disagrees with itself in %u threads", engines->all[i].name,
                           threads);
            else
                bench_costs_add(costs, "ns", bench_summarise(samples, ROUNDS), "threads: %s, %s, each of %u",
                                scene->layout->name, engines->all[i].name, threads);
        }
    }
    free(parts);
    return agreed;
}
