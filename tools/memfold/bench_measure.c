/*
 * Comparing and timing engines.
 *
 * Every round runs each engine once, in an order that changes from round to round, so that what disturbs the
 * machine disturbs all of them; a ratio is the median of the rounds' own ratios. The libraries for benchmarks
 * finish one candidate before they begin the next, and sorting and quartiles are all else they would give.
 */
#include "bench.h"

#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define BATCH_NS 1e6
#define SLOW_NS 30.0 /* per access: such engines are given the shorter batch */

/* ---- Clock and counter ---- */

double clock_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static int open_counter(void) {
    struct perf_event_attr attributes = {.type = PERF_TYPE_HARDWARE,
                                         .size = sizeof attributes,
                                         .config = PERF_COUNT_HW_INSTRUCTIONS,
                                         .exclude_kernel = 1,
                                         .exclude_hv = 1};
    return (int)syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0);
}

double instructions_take(void) {
    static int counter = -2;
    static uint64_t last;
    uint64_t now;
    if (counter == -2)
        counter = open_counter();
    if (counter < 0 || read(counter, &now, sizeof now) != (ssize_t)sizeof now)
        return -1;
    double since = (double)(now - last);
    last = now;
    return since;
}

/* ---- Statistics ---- */

static int by_value(const void *a, const void *b) {
    double left = *(const double *)a;
    double right = *(const double *)b;
    return (left > right) - (left < right);
}

/* Between the two nearest samples. */
static double quantile(const double *sorted, size_t count, double part) {
    double place = part * (double)(count - 1);
    size_t below = (size_t)place;
    double rest = place - (double)below;
    return below + 1 < count ? sorted[below] * (1 - rest) + sorted[below + 1] * rest : sorted[below];
}

struct summary summarise(double *samples, size_t count) {
    if (count == 0)
        return (struct summary){0, 0, 0};
    qsort(samples, count, sizeof *samples, by_value);
    return (struct summary){quantile(samples, count, 0.5), quantile(samples, count, 0.25),
                            quantile(samples, count, 0.75)};
}

/* ---- Comparing ---- */

const char *outcome_difference(const struct outcome *a, const struct outcome *b) {
    if (a->first.sum != b->first.sum || a->again.sum != b->again.sum)
        return "values loaded";
    if (a->first.faults != b->first.faults || a->again.faults != b->again.faults)
        return "number of faults";
    if (a->checksum != b->checksum)
        return "bytes of memory";
    return memcmp(&a->fault, &b->fault, sizeof a->fault) == 0 ? NULL : "fault record";
}

/* The reference reads and writes as the host does, by memory.h. */
static mf_load_result reference_load(mf_view *view, uint32_t address) {
    uint32_t value = 0;
    bool done = mf_view_read(view, address, &value, sizeof value);
    return (mf_load_result){done ? value : 0, done ? 0 : view->fault.kind};
}

static uint32_t reference_store(mf_view *view, uint32_t address, uint64_t value) {
    uint32_t word = (uint32_t)value;
    return mf_view_write(view, address, &word, sizeof word) ? 0 : view->fault.kind;
}

/* One engine in a cell. */
struct runner {
    const struct engine_spec *spec; /* NULL: the reference */
    bench_loop *loop;
    bench_guest *guest;
    mf_backend backend;
    mf_load_fn *load_u32;
    mf_store_fn *store_u32;
    bench_work batch;
    bench_tally expected; /* of the batch */
    double accesses;      /* of the batch */
    double *samples;      /* ns per access, one a round; NULL: not measured */
};

static double run(const struct runner *runner, bench_tally *tally) {
    runner->guest->load_u32 = runner->load_u32;
    runner->guest->store_u32 = runner->store_u32;
    double start = clock_ns();
    runner->loop(&runner->guest->view, &runner->batch, tally);
    return clock_ns() - start;
}

/* On restored memory, and again on what that leaves, which is what all later batches find. */
static struct outcome observe(struct runner *runner, struct scene *scene, const struct work *work) {
    struct outcome outcome;
    scene_restore(scene, runner->backend, work);
    run(runner, &outcome.first);
    run(runner, &outcome.again);
    outcome.checksum = scene_checksum(scene, runner->backend, work);
    outcome.fault = runner->guest->view.fault;
    return outcome;
}

struct duel {
    struct cell *cell;
    struct scene *scene;
    const struct work *work;
    const struct engine_list *engines;
    struct runner reference;
    struct runner all[MOST_ENGINES];
    unsigned rounds;
};

static bool refuse(const struct duel *duel, const struct runner *runner, const char *what) {
    fail_print(NULL, 0, "bench: %s disagrees with the reference about the %s (%s, %s, %s)",
               runner->spec->name, what, duel->cell->layout->name, pattern_titles[duel->work->pattern],
               set_names[duel->cell->set]);
    return false;
}

/*
 * The guest's memory is as whole batches leave it. Shorter ones then change nothing, and however the engines
 * take turns, each loads the same values in every batch.
 */
static void steady(const struct duel *duel, mf_backend backend) {
    struct runner reference = duel->reference;
    bench_tally tally;
    reference.guest = &duel->scene->guests[backend];
    reference.batch = duel->work->batch;
    scene_restore(duel->scene, backend, duel->work);
    run(&reference, &tally);
}

/* Both do a batch of `count`. */
static bool compare(struct duel *duel, struct runner *runner, uint64_t count) {
    runner->batch.count = count;
    runner->batch.repeats = 1;
    duel->reference.batch = runner->batch;
    struct outcome expected = observe(&duel->reference, duel->scene, duel->work);
    struct outcome seen = observe(runner, duel->scene, duel->work);
    const char *difference = outcome_difference(&expected, &seen);
    if (difference != NULL)
        return refuse(duel, runner, difference);
    steady(duel, duel->reference.backend);
    run(&duel->reference, &runner->expected);
    runner->accesses = (double)work_accesses(duel->work, count);
    return true;
}

/* ---- Timing ---- */

/* Long enough that the clock does not matter. */
static void choose_repeats(struct runner *runner) {
    bench_tally tally;
    double once = run(runner, &tally);
    double repeats = once > 0 ? BATCH_NS / once : 1;
    runner->batch.repeats = repeats < 1 ? 1 : repeats > 1e5 ? 100000 : (uint64_t)repeats;
}

/* Both lengths are compared where the shorter one is used, so that every timed batch has a known result. */
static bool choose_batch(struct duel *duel, struct runner *runner) {
    uint64_t whole = duel->work->batch.count;
    bool short_by_faults = runner->spec->by_signal && duel->work->pattern == PATTERN_MISSES;
    bench_tally tally;
    if (!compare(duel, runner, short_by_faults ? duel->work->reduced : whole))
        return false;
    if (!short_by_faults && run(runner, &tally) / runner->accesses > SLOW_NS &&
        !compare(duel, runner, duel->work->reduced))
        return false;
    choose_repeats(runner);
    return true;
}

static bool check_batch(const struct duel *duel, const struct runner *runner, const bench_tally *tally) {
    uint64_t repeats = runner->batch.repeats;
    if (tally->sum != runner->expected.sum * repeats)
        return refuse(duel, runner, "values loaded");
    return tally->faults == runner->expected.faults * repeats || refuse(duel, runner, "number of faults");
}

static bool time_one(const struct duel *duel, const struct runner *runner, unsigned round) {
    bench_tally tally;
    double ns = run(runner, &tally);
    runner->samples[round] = ns / (runner->accesses * (double)runner->batch.repeats);
    return check_batch(duel, runner, &tally);
}

/* Each round begins with another engine and goes the other way round. */
static bool time_rounds(struct duel *duel) {
    size_t count = duel->engines->count;
    for (unsigned round = 0; round < duel->rounds; round++)
        for (size_t i = 0; i < count; i++) {
            size_t place = (i * (round % 2 == 0 ? 1 : count - 1) + round * 5) % count;
            if (duel->all[place].samples != NULL && !time_one(duel, &duel->all[place], round))
                return false;
        }
    return true;
}

static void count_instructions(const struct runner *runner, struct measurement *measurement) {
    bench_tally tally;
    if (instructions_take() < 0)
        return;
    run(runner, &tally);
    double counted = instructions_take();
    measurement->instructions = counted / (runner->accesses * (double)runner->batch.repeats);
}

/* ---- A cell ---- */

static struct runner make_runner(const struct duel *duel, const struct engine_spec *spec,
                                 const struct engine_code *code) {
    mf_backend backend = spec->options.backend;
    struct runner runner = {.spec = spec,
                            .loop = code->loops[work_loop(duel->work)],
                            .guest = &duel->scene->guests[backend],
                            .backend = backend,
                            .batch = duel->work->batch};
    if (code->accessors != NULL) {
        runner.load_u32 = code->accessors->load_u32;
        runner.store_u32 = code->accessors->store_u32;
    }
    return runner;
}

/* An engine that is not exact is not asked where it would have to fault. */
static bool takes_part(const struct duel *duel, const struct runner *runner) {
    if (runner->loop == NULL)
        return false;
    if (duel->cell->set == SET_1G && strcmp(runner->spec->name, "list") == 0)
        return false;
    return runner->spec->exact || duel->work->pattern != PATTERN_MISSES;
}

static bool enter(struct duel *duel, const struct engine_code *codes) {
    for (size_t i = 0; i < duel->engines->count; i++) {
        struct runner *runner = &duel->all[i];
        *runner = make_runner(duel, &duel->engines->all[i], &codes[i]);
        if (!takes_part(duel, runner))
            continue;
        if (!choose_batch(duel, runner))
            return false;
        runner->samples = calloc(duel->rounds, sizeof *runner->samples);
        if (runner->samples == NULL)
            abort();
    }
    steady(duel, MF_BACKEND_COPY);
    steady(duel, MF_BACKEND_X86_PAGED);
    return true;
}

static struct summary ratio(const double *a, const double *b, unsigned rounds) {
    double *ratios = calloc(rounds, sizeof *ratios);
    if (ratios == NULL)
        abort();
    for (unsigned i = 0; i < rounds; i++)
        ratios[i] = a[i] / b[i];
    struct summary summary = summarise(ratios, rounds);
    free(ratios);
    return summary;
}

/* Of two samples of all rounds; leaves them in their order. */
static struct summary summarise_copy(const double *samples, unsigned rounds) {
    double *copy = calloc(rounds, sizeof *copy);
    if (copy == NULL)
        abort();
    memcpy(copy, samples, rounds * sizeof *copy);
    struct summary summary = summarise(copy, rounds);
    free(copy);
    return summary;
}

static const struct runner *fastest(const struct duel *duel, bool of_memfold) {
    const struct runner *best = NULL;
    double least = 0;
    for (size_t i = 0; i < duel->engines->count; i++) {
        const struct runner *runner = &duel->all[i];
        const struct engine_spec *spec = runner->spec;
        bool counts = of_memfold ? spec->form == FORM_INLINED && spec->options.backend == MF_BACKEND_COPY &&
                                       spec->options.strategy == MF_STRATEGY_AUTO
                                 : spec->is_rival;
        double median = duel->cell->engines[i].ns.median;
        if (runner->samples != NULL && counts && (best == NULL || median < least)) {
            best = runner;
            least = median;
        }
    }
    return best;
}

static void conclude(struct duel *duel) {
    struct cell *cell = duel->cell;
    size_t baseline = 0;
    while (baseline < duel->engines->count && duel->all[baseline].samples == NULL)
        baseline++;
    cell->baseline = baseline;
    for (size_t i = 0; i < duel->engines->count; i++) {
        const struct runner *runner = &duel->all[i];
        if (runner->samples == NULL)
            continue;
        cell->engines[i].there = true;
        cell->engines[i].ns = summarise_copy(runner->samples, duel->rounds);
        cell->engines[i].ratio = ratio(runner->samples, duel->all[baseline].samples, duel->rounds);
        count_instructions(runner, &cell->engines[i]);
    }
    const struct runner *ours = fastest(duel, true);
    const struct runner *theirs = fastest(duel, false);
    if (ours != NULL && theirs != NULL)
        cell->rivals = ratio(ours->samples, theirs->samples, duel->rounds);
}

bool cell_measure(struct cell *cell, struct scene *scene, const struct work *work,
                  const struct engine_list *engines, const struct engine_code *codes,
                  const struct engine_code *reference, unsigned rounds) {
    struct duel duel = {.cell = cell, .scene = scene, .work = work, .engines = engines, .rounds = rounds};
    duel.reference = (struct runner){.loop = reference->loops[work_loop(work)],
                                     .guest = &scene->guests[MF_BACKEND_COPY],
                                     .load_u32 = reference_load,
                                     .store_u32 = reference_store,
                                     .batch = work->batch};
    bool agreed = enter(&duel, codes) && time_rounds(&duel);
    if (agreed)
        conclude(&duel);
    for (size_t i = 0; i < engines->count; i++)
        free(duel.all[i].samples);
    return agreed;
}
