/*
 * Comparing and timing engines.
 *
 * Every round runs each engine once, in an order that changes from round to round, so that what disturbs the
 * machine disturbs all of them; a ratio is the median of the rounds' own ratios. The libraries for benchmarks
 * finish one candidate before they begin the next, and sorting and quartiles are all else they would give.
 */
#include "bench/measure.h"

#include "bench/clock.h"
#include "command.h"

#include <stdlib.h>
#include <string.h>

#define BATCH_NS 1e6
#define SLOW_NS 30.0 /* per access: such engines are given the shorter batch */

/* ---- Comparing ---- */

/* What one engine did in one repetition, by which engines are compared. */
typedef struct cell_outcome {
    guest_tally first; /* on restored memory */
    guest_tally again; /* on memory as a repetition leaves it */
    uint64_t checksum; /* of the memory afterwards */
    mf_fault fault;    /* the last record */
} cell_outcome;

/* What differs, or NULL if both are the same. */
static const char *outcome_difference(const cell_outcome *a, const cell_outcome *b) {
    if (a->first.sum != b->first.sum || a->again.sum != b->again.sum)
        return "values loaded";
    if (a->first.faults != b->first.faults || a->again.faults != b->again.faults)
        return "number of faults";
    if (a->checksum != b->checksum)
        return "bytes of memory";
    return memcmp(&a->fault, &b->fault, sizeof a->fault) == 0 ? NULL : "fault record";
}

/* The reference: four bytes read and written by the functions of memory.h, as a host does. */
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
typedef struct cell_runner {
    const bench_engine *spec; /* NULL: the reference */
    guest_loop *loop;
    guest_view *guest;
    mf_backend backend;
    mf_load_fn *load_u32;
    mf_store_fn *store_u32;
    guest_batch batch;
    guest_tally expected; /* of the batch */
    double accesses;      /* of the batch */
    double *samples;      /* ns per access, one a round; NULL: not measured */
} cell_runner;

static double run(const cell_runner *runner, guest_tally *tally) {
    runner->guest->load_u32 = runner->load_u32;
    runner->guest->store_u32 = runner->store_u32;
    double start = bench_clock_ns();
    runner->loop(&runner->guest->view, &runner->batch, tally);
    return bench_clock_ns() - start;
}

/* A batch on restored memory, and one on what the first leaves behind, which all later ones find. */
static cell_outcome observe(cell_runner *runner, bench_scene *scene, const bench_work *work) {
    cell_outcome outcome;
    bench_scene_restore(scene, runner->backend, work);
    run(runner, &outcome.first);
    run(runner, &outcome.again);
    outcome.checksum = bench_scene_checksum(scene, runner->backend, work);
    outcome.fault = runner->guest->view.fault;
    return outcome;
}

typedef struct cell_duel {
    bench_cell *cell;
    bench_scene *scene;
    const bench_work *work;
    const bench_engines *engines;
    cell_runner reference;
    cell_runner all[BENCH_ENGINES_MAX];
    unsigned rounds;
} cell_duel;

static bool refuse(const cell_duel *duel, const cell_runner *runner, const char *what) {
    fail_print(NULL, 0, "bench: %s disagrees with the reference about the %s (%s, %s, %s)",
               runner->spec->name, what, duel->cell->layout->name, bench_pattern_titles[duel->work->pattern],
               bench_set_names[duel->cell->set]);
    return false;
}

/*
 * The guest's memory is as whole batches leave it. Shorter ones then change nothing, and however the engines
 * take turns, each loads the same values in every batch.
 */
static void steady(const cell_duel *duel, mf_backend backend) {
    cell_runner reference = duel->reference;
    guest_tally tally;
    reference.guest = &duel->scene->guests[backend];
    reference.batch = duel->work->batch;
    bench_scene_restore(duel->scene, backend, duel->work);
    run(&reference, &tally);
}

/* The reference and the engine do a batch of `count`; true if nothing differs. */
static bool compare(cell_duel *duel, cell_runner *runner, uint64_t count) {
    runner->batch.count = count;
    runner->batch.repeats = 1;
    duel->reference.batch = runner->batch;
    cell_outcome expected = observe(&duel->reference, duel->scene, duel->work);
    cell_outcome seen = observe(runner, duel->scene, duel->work);
    const char *difference = outcome_difference(&expected, &seen);
    if (difference != NULL)
        return refuse(duel, runner, difference);
    steady(duel, duel->reference.backend);
    run(&duel->reference, &runner->expected);
    runner->accesses = (double)bench_work_accesses(duel->work, count);
    return true;
}

/* ---- Timing ---- */

/* So many that a batch takes a millisecond: reading the clock then does not matter. */
static void choose_repeats(cell_runner *runner) {
    guest_tally tally;
    double once = run(runner, &tally);
    double repeats = once > 0 ? BATCH_NS / once : 1;
    runner->batch.repeats = repeats < 1 ? 1 : repeats > 1e5 ? 100000 : (uint64_t)repeats;
}

/* Both lengths are compared where the shorter one is used, so that every timed batch has a known result. */
static bool choose_batch(cell_duel *duel, cell_runner *runner) {
    uint64_t whole = duel->work->batch.count;
    bool short_by_faults = runner->spec->by_signal && duel->work->pattern == PATTERN_MISSES;
    guest_tally tally;
    if (!compare(duel, runner, short_by_faults ? duel->work->reduced : whole))
        return false;
    if (!short_by_faults && run(runner, &tally) / runner->accesses > SLOW_NS &&
        !compare(duel, runner, duel->work->reduced))
        return false;
    choose_repeats(runner);
    return true;
}

static bool check_batch(const cell_duel *duel, const cell_runner *runner, const guest_tally *tally) {
    uint64_t repeats = runner->batch.repeats;
    if (tally->sum != runner->expected.sum * repeats)
        return refuse(duel, runner, "values loaded");
    return tally->faults == runner->expected.faults * repeats || refuse(duel, runner, "number of faults");
}

static bool time_one(const cell_duel *duel, const cell_runner *runner, unsigned round) {
    guest_tally tally;
    double ns = run(runner, &tally);
    runner->samples[round] = ns / (runner->accesses * (double)runner->batch.repeats);
    return check_batch(duel, runner, &tally);
}

/* Each round begins with another engine and goes the other way round. */
static bool time_rounds(cell_duel *duel) {
    size_t count = duel->engines->count;
    for (unsigned round = 0; round < duel->rounds; round++)
        for (size_t i = 0; i < count; i++) {
            size_t place = (i * (round % 2 == 0 ? 1 : count - 1) + round * 5) % count;
            if (duel->all[place].samples != NULL && !time_one(duel, &duel->all[place], round))
                return false;
        }
    return true;
}

static void count_instructions(const cell_runner *runner, bench_measurement *measurement) {
    guest_tally tally;
    if (bench_instructions_take() < 0)
        return;
    run(runner, &tally);
    double counted = bench_instructions_take();
    measurement->instructions = counted / (runner->accesses * (double)runner->batch.repeats);
}

/* ---- A cell ---- */

static cell_runner make_runner(const cell_duel *duel, const bench_engine *spec, const bench_code *code) {
    mf_backend backend = spec->options.backend;
    cell_runner runner = {.spec = spec,
                          .loop = code->loops[bench_work_loop(duel->work)],
                          .guest = &duel->scene->guests[backend],
                          .backend = backend,
                          .batch = duel->work->batch};
    if (code->accessors != NULL) {
        runner.load_u32 = code->accessors->load_u32;
        runner.store_u32 = code->accessors->store_u32;
    }
    return runner;
}

/* Engines that are not exact are left out where accesses fault, and the list where it would take minutes. */
static bool takes_part(const cell_duel *duel, const cell_runner *runner) {
    if (runner->loop == NULL)
        return false;
    if (duel->cell->set == SET_1G && strcmp(runner->spec->name, "list") == 0)
        return false;
    return runner->spec->exact || duel->work->pattern != PATTERN_MISSES;
}

static bool enter(cell_duel *duel, const bench_code *codes) {
    for (size_t i = 0; i < duel->engines->count; i++) {
        cell_runner *runner = &duel->all[i];
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

static const cell_runner *fastest(const cell_duel *duel, bool of_memfold) {
    const cell_runner *best = NULL;
    double least = 0;
    for (size_t i = 0; i < duel->engines->count; i++) {
        const cell_runner *runner = &duel->all[i];
        const bench_engine *spec = runner->spec;
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

static void conclude(cell_duel *duel) {
    bench_cell *cell = duel->cell;
    size_t baseline = 0;
    while (baseline < duel->engines->count && duel->all[baseline].samples == NULL)
        baseline++;
    cell->baseline = baseline;
    for (size_t i = 0; i < duel->engines->count; i++) {
        const cell_runner *runner = &duel->all[i];
        if (runner->samples == NULL)
            continue;
        cell->engines[i].there = true;
        cell->engines[i].ns = bench_summarise_copy(runner->samples, duel->rounds);
        cell->engines[i].ratio =
            bench_summarise_ratio(runner->samples, duel->all[baseline].samples, duel->rounds);
        count_instructions(runner, &cell->engines[i]);
    }
    const cell_runner *ours = fastest(duel, true);
    const cell_runner *theirs = fastest(duel, false);
    if (ours != NULL && theirs != NULL)
        cell->rivals = bench_summarise_ratio(ours->samples, theirs->samples, duel->rounds);
}

bool bench_cell_measure(bench_cell *cell, bench_scene *scene, const bench_work *work,
                        const bench_engines *engines, const bench_code *codes, const bench_code *reference,
                        unsigned rounds) {
    cell_duel duel = {.cell = cell, .scene = scene, .work = work, .engines = engines, .rounds = rounds};
    duel.reference = (cell_runner){.loop = reference->loops[bench_work_loop(work)],
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
