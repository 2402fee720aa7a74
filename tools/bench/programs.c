/*
 * Comparing and timing engines in whole programs. A batch runs the program some times inside a guard frame,
 * on arrays that have been cleared; what the program returns and the bytes of all arrays are compared after
 * every batch. Engines take turns in each round, and time is the thread's own.
 */
#include "bench/programs.h"

#include "bench/clock.h"
#include "bench/pace.h"
#include "bench/program_scene.h"
#include "command.h"

#include <memfold/guard.h>

#include <math.h>
#include <stdlib.h>

#define BATCH_NS 3e6 /* of the baseline */
#define QUICK_BATCH_NS 3e5

/* One engine in one program. */
typedef struct program_runner {
    const program_engine *engine;
    program_code code;
    const program_work *work;
    uint64_t repeats;
    uint64_t result; /* of the last run */
    double *samples; /* ns of a run, one a round */
} program_runner;

typedef struct program_duel {
    bench_programs *programs;
    bench_jit *jit;
    program_scene scene;
    program_id id;
    program_runner all[PROGRAM_ENGINES_MAX];
    uint64_t expected, checksum; /* the reference's */
    mf_accessor_options hints[PROGRAM_MAP_COUNT];
    unsigned rounds;
    double batch_ns;
} program_duel;

/* ---- Running ---- */

static void run_batch(mf_view *view, void *context) {
    program_runner *runner = context;
    for (uint64_t i = 0; i < runner->repeats; i++)
        runner->result = runner->code.run(view, view->base, runner->work);
}

static mf_view *view_of(const program_duel *duel, const program_runner *runner) {
    const program_engine *engine = runner->engine;
    return &duel->scene.maps[engine->map].guests[engine->options.backend].view;
}

static bool refuse(const program_duel *duel, const program_runner *runner, const char *what) {
    fail_print(NULL, 0, "bench: %s disagrees with the reference about the %s of program %s",
               runner->engine->name, what, program_get(duel->id)->name);
    return false;
}

/* One batch, in ns a run. Prints the difference and returns false if it is not the reference's. */
static bool run(const program_duel *duel, program_runner *runner, double *ns) {
    const program_engine *engine = runner->engine;
    mf_fault fault;
    program_scene_clear(&duel->scene, engine->map, engine->options.backend);
    double start = bench_thread_ns();
    bool ended = mf_guard_run(view_of(duel, runner), run_batch, runner, &fault);
    *ns = (bench_thread_ns() - start) / (double)runner->repeats;
    if (!ended)
        return refuse(duel, runner, "faults");
    if (runner->result != duel->expected)
        return refuse(duel, runner, "result");
    if (program_scene_checksum(&duel->scene, engine->map, engine->options.backend) != duel->checksum)
        return refuse(duel, runner, "bytes in memory");
    return true;
}

/* The program as the command's compiler made it. */
static void run_reference(program_duel *duel) {
    const program *program = program_get(duel->id);
    const program_map *map = &duel->scene.maps[PROGRAM_MAP_1];
    mf_view *view = &map->guests[MF_BACKEND_COPY].view;
    program_scene_clear(&duel->scene, PROGRAM_MAP_1, MF_BACKEND_COPY);
    duel->expected = program->run(view, view->base, &map->work);
    duel->checksum = program_scene_checksum(&duel->scene, PROGRAM_MAP_1, MF_BACKEND_COPY);
}

/* ---- Hints: the window that most accesses of a run go to, and their share ---- */

static uint64_t take_count(program_view *guest, uint64_t start, uint64_t end) {
    uint64_t sum = 0;
    for (uint64_t page = start / MF_PAGE_SIZE; page < end / MF_PAGE_SIZE; page++) {
        sum += guest->counts[page % PROGRAM_PAGES];
        guest->counts[page % PROGRAM_PAGES] = 0;
    }
    return sum;
}

static mf_accessor_options make_hint(const program_map *map) {
    program_view *guest = &map->guests[MF_BACKEND_COPY];
    mf_accessor_options hint = {0};
    mf_window window;
    uint64_t all = 0, most = 0;
    for (uint64_t from = 0; mf_layout_window_lookup(map->layout, MF_LOAD, from, &window);
         from = window.start + window.size) {
        uint64_t count = take_count(guest, window.start, window.start + window.size);
        all += count;
        if (count <= most)
            continue;
        most = count;
        hint.hot_address = (uint32_t)window.start;
    }
    hint.hot_percent = all == 0 ? 0 : (uint32_t)(most * 100 / all);
    return hint;
}

/* The first map has one window, and there is nothing to be hinted at. */
static int profile(program_duel *duel) {
    program_engine engine = program_engine_counted;
    mf_diag diag = {0};
    program_runner runner = {.engine = &engine, .repeats = 1};
    bool agreed = true;
    double ns;
    if (program_code_compile(duel->jit, duel->id, &engine, NULL, NULL, &runner.code, &diag) != MF_OK) {
        program_code_fini(&runner.code);
        return fail_diag(&diag, NULL);
    }
    for (engine.map = PROGRAM_MAP_4; agreed && engine.map < PROGRAM_MAP_COUNT; engine.map++) {
        const program_map *map = &duel->scene.maps[engine.map];
        runner.work = &map->work;
        agreed = run(duel, &runner, &ns);
        duel->hints[engine.map] = make_hint(map);
    }
    program_code_fini(&runner.code);
    return agreed ? 0 : EXIT_BAD_INPUT;
}

static bool wants_profile(const program_engines *engines) {
    for (size_t i = 0; i < engines->count; i++)
        if (engines->all[i]->hot)
            return true;
    return false;
}

/* ---- A program ---- */

static int enter(program_duel *duel) {
    mf_diag diag = {0};
    const program_engines *engines = &duel->programs->engines;
    for (size_t i = 0; i < engines->count; i++) {
        const program_engine *engine = engines->all[i];
        const program_map *map = &duel->scene.maps[engine->map];
        program_runner *runner = &duel->all[i];
        *runner = (program_runner){.engine = engine, .work = &map->work, .repeats = 1};
        runner->samples = calloc(duel->rounds, sizeof *runner->samples);
        if (runner->samples == NULL)
            abort();
        if (program_code_compile(duel->jit, duel->id, engine, map->layout,
                                 engine->hot ? &duel->hints[engine->map] : NULL, &runner->code,
                                 &diag) != MF_OK)
            return fail_diag(&diag, NULL);
    }
    return 0;
}

/* All run as often as makes a batch of the baseline; the first runs make pages and caches ready. */
static bool choose_repeats(program_duel *duel) {
    double ns = 0;
    size_t count = duel->programs->engines.count;
    for (size_t i = 0; i < count; i++)
        if (!run(duel, &duel->all[i], &ns))
            return false;
    if (!run(duel, &duel->all[0], &ns))
        return false;
    uint64_t repeats = ns > 0 && ns < duel->batch_ns ? (uint64_t)(duel->batch_ns / ns) : 1;
    for (size_t i = 0; i < count; i++)
        duel->all[i].repeats = repeats;
    return true;
}

/* Each round begins with another engine and goes the other way round. */
static bool time_rounds(program_duel *duel) {
    size_t count = duel->programs->engines.count;
    for (unsigned round = 0; round < duel->rounds; round++)
        for (size_t i = 0; i < count; i++) {
            size_t place = (i * (round % 2 == 0 ? 1 : count - 1) + round * 5) % count;
            if (!run(duel, &duel->all[place], &duel->all[place].samples[round]))
                return false;
        }
    return true;
}

static void conclude(program_duel *duel) {
    for (size_t i = 0; i < duel->programs->engines.count; i++) {
        program_runner *runner = &duel->all[i];
        bench_measurement *cell = &duel->programs->cells[duel->id][i];
        cell->there = true;
        cell->ns = bench_summarise_copy(runner->samples, duel->rounds);
        cell->ratio = bench_summarise_ratio(runner->samples, duel->all[0].samples, duel->rounds);
        if (bench_instructions_take() < 0)
            continue;
        run_batch(view_of(duel, runner), runner);
        cell->instructions = bench_instructions_take() / (double)runner->repeats;
    }
}

static void leave(program_duel *duel) {
    for (size_t i = 0; i < PROGRAM_ENGINES_MAX; i++) {
        free(duel->all[i].samples);
        program_code_fini(&duel->all[i].code);
        duel->all[i] = (program_runner){0};
    }
}

static int measure_program(program_duel *duel) {
    mf_diag diag = {0};
    const program *program = program_get(duel->id);
    bench_pace_begin(bench_programs_pace(duel->rounds), "program", program->title);
    if (program_scene_enter(&duel->scene, program, &diag) != MF_OK)
        return fail_diag(&diag, NULL);
    run_reference(duel);
    int code = wants_profile(&duel->programs->engines) ? profile(duel) : 0;
    if (code == 0)
        code = enter(duel);
    if (code == 0 && !(choose_repeats(duel) && time_rounds(duel)))
        code = EXIT_BAD_INPUT;
    if (code == 0)
        conclude(duel);
    leave(duel);
    return code;
}

/* ---- All of them ---- */

static void make_means(bench_programs *programs) {
    for (size_t i = 0; i < programs->engines.count; i++) {
        double sum = 0;
        for (int id = 0; id < PROGRAM_COUNT; id++)
            sum += log(programs->cells[id][i].ratio.median);
        programs->means[i] = exp(sum / (double)PROGRAM_COUNT);
    }
}

double bench_programs_pace(unsigned rounds) {
    return PACE_PROGRAM + PACE_PROGRAM_ROUND * rounds;
}

int bench_programs_measure(bench_programs *programs, unsigned rounds, bool quick) {
    mf_diag diag = {0};
    program_duel *duel = calloc(1, sizeof *duel);
    if (duel == NULL)
        abort();
    duel->programs = programs;
    duel->rounds = rounds;
    duel->batch_ns = quick ? QUICK_BATCH_NS : BATCH_NS;
    duel->jit = bench_jit_create(&diag);
    int code =
        duel->jit == NULL || program_scene_init(&duel->scene, &diag) != MF_OK ? fail_diag(&diag, NULL) : 0;
    programs->huge_pages = duel->scene.huge_pages;
    for (duel->id = 0; code == 0 && duel->id < PROGRAM_COUNT; duel->id++)
        code = measure_program(duel);
    program_scene_fini(&duel->scene);
    bench_jit_destroy(duel->jit);
    free(duel);
    if (code != 0)
        return code;
    programs->there = true;
    make_means(programs);
    return 0;
}
