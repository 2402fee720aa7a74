/* The walk: engines are compiled for one layout after the other, and measured on it cell by cell. */
#include "bench/walk.h"

#include "bench/clock.h"
#include "bench/compiler.h"
#include "bench/faults.h"
#include "bench/lives.h"
#include "bench/pace.h"
#include "bench/parallel.h"
#include "bench/programs.h"
#include "bench/sizes.h"
#include "bench/specialise.h"
#include "command.h"
#include "progress.h"

#include <stdlib.h>

typedef struct walk_state {
    const bench_request *request;
    const bench_engines *engines;
    bench_compiler *compiler;
    bench_report *report;
    bench_code codes[BENCH_ENGINES_MAX];
    bench_code reference;
} walk_state;

/*
 * A strategy that is not exact for a layout is left out there, with a message that says why; any other
 * failure ends the run.
 */
static int compile_all(walk_state *state, const bench_layout *layout) {
    static const bench_engine reference = {.form = FORM_GENERIC};
    mf_diag diag = {0};
    for (size_t i = 0; i < state->engines->count; i++) {
        const bench_engine *spec = &state->engines->all[i];
        mf_status status =
            bench_compiler_compile(state->compiler, spec, layout->layout, &state->codes[i], &diag);
        if (status == MF_INEXACT_STRATEGY)
            fail_print(NULL, 0, "bench: %s is left out for layout %s: %s", spec->name, layout->name,
                       diag.message);
        else if (status != MF_OK)
            return fail_diag(&diag, NULL);
    }
    if (bench_compiler_compile(state->compiler, &reference, layout->layout, &state->reference, &diag) !=
        MF_OK)
        return fail_diag(&diag, NULL);
    return 0;
}

static bench_cell *add_cell(bench_report *report) {
    bench_cell *cells = realloc(report->cells, (report->cell_count + 1) * sizeof *cells);
    if (cells == NULL)
        abort();
    report->cells = cells;
    return &cells[report->cell_count];
}

/* The large working set takes longer. */
static unsigned rounds_of(const bench_request *request, bench_set set) {
    return set == SET_1G ? (request->rounds + 2) / 3 : request->rounds;
}

static int measure_work(walk_state *state, bench_scene *scene, const bench_work *work, bench_set set) {
    mf_diag diag = {0};
    bench_cell *cell = add_cell(state->report);
    *cell = (bench_cell){.layout = scene->layout, .pattern = work->pattern, .set = set};
    if (bench_scene_prepare(scene, work, &diag) != MF_OK)
        return fail_diag(&diag, NULL);
    if (!bench_cell_measure(cell, scene, work, state->engines, state->codes, &state->reference,
                            rounds_of(state->request, set)))
        return EXIT_BAD_INPUT;
    state->report->cell_count++;
    return 0;
}

/* The 1 GiB working set is measured on the large layouts, and they with it alone. */
static bool wanted(const bench_request *request, const bench_layout *layout, bench_pattern pattern,
                   bench_set set) {
    if ((request->patterns >> pattern & 1) == 0 || (request->sets >> set & 1) == 0)
        return false;
    if (layout->large != (set == SET_1G))
        return false;
    return set != SET_1G || pattern == PATTERN_UNIFORM || pattern == PATTERN_DEPENDENT;
}

static int measure_cells(walk_state *state, bench_scene *scene) {
    int code = 0;
    for (bench_set set = SET_L1; code == 0 && set < SET_COUNT; set++)
        for (bench_pattern pattern = PATTERN_UNIFORM; code == 0 && pattern < PATTERN_COUNT; pattern++) {
            bench_work work;
            if (!wanted(state->request, scene->layout, pattern, set))
                continue;
            bench_pace_begin(PACE_ROUND * rounds_of(state->request, set), scene->layout->name,
                             bench_pattern_titles[pattern]);
            if (bench_work_make(&work, scene->layout->layout, pattern, set))
                code = measure_work(state, scene, &work, set);
            bench_work_fini(&work);
        }
    return code;
}

static int measure_threads(walk_state *state, bench_scene *scene) {
    mf_diag diag = {0};
    bench_work work;
    int code = 0;
    if (!bench_work_make(&work, scene->layout->layout, PATTERN_UNIFORM, SET_L2))
        return 0;
    if (bench_scene_prepare(scene, &work, &diag) != MF_OK)
        code = fail_diag(&diag, NULL);
    else if (!bench_parallel_measure(&state->report->costs, scene, &work, state->engines, state->codes))
        code = EXIT_BAD_INPUT;
    bench_work_fini(&work);
    return code;
}

static int measure_layout(walk_state *state, const bench_layout *layout, bool threads) {
    bench_scene scene;
    mf_diag diag = {0};
    int code = 0;
    bench_pace_begin(PACE_LAYOUT, "compiling for layout", layout->name);
    if (bench_scene_init(&scene, layout, &diag) != MF_OK)
        code = fail_diag(&diag, NULL);
    if (code == 0)
        code = compile_all(state, layout);
    state->report->huge_pages = scene.huge_pages;
    if (code == 0 && (state->request->sections & SECTION_ACCESS))
        code = measure_cells(state, &scene);
    if (code == 0 && threads)
        code = measure_threads(state, &scene);
    for (size_t i = 0; i < state->engines->count; i++)
        bench_code_fini(&state->codes[i]);
    bench_scene_fini(&scene);
    return code;
}

/* Threads are measured on one layout: the last with a number of regions up to 256. */
static const bench_layout *threads_layout(const bench_layouts *layouts) {
    const bench_layout *found = &layouts->all[0];
    for (size_t i = 0; i < layouts->count; i++)
        if (layouts->all[i].regions > 0 && layouts->all[i].regions <= 256)
            found = &layouts->all[i];
    return found;
}

/* Whether the section is to be measured; then it begins. */
static bool section_begin(const bench_request *request, bench_section section, const char *what) {
    if ((request->sections & section) == 0)
        return false;
    bench_pace_begin(PACE_COSTS, what, "");
    return true;
}

static mf_status measure_costs(bench_report *report, const bench_request *request, mf_diag *diag) {
    bench_costs *costs = &report->costs;
    mf_status status = MF_OK;
    if (section_begin(request, SECTION_SPECIALISE, "specialising"))
        status = bench_specialise_measure(costs, request->quick, diag);
    if (status == MF_OK && section_begin(request, SECTION_FAULT, "faults"))
        status = bench_faults_measure(costs, diag);
    if (status == MF_OK && section_begin(request, SECTION_LIFE, "lives of memories"))
        status = bench_lives_measure(&report->lives, request->rounds, request->quick, diag);
    if (status == MF_OK && section_begin(request, SECTION_SIZE, "sizes"))
        status = bench_sizes_measure(costs, diag);
    return status;
}

static int measure_programs(bench_report *report, const bench_request *request) {
    int code = bench_programs_measure(&report->programs, request->rounds, request->quick);
    report->huge_pages = report->programs.huge_pages;
    return code;
}

static void expect_layout(const bench_request *request, const bench_layout *layout) {
    bench_pace_expect(PACE_LAYOUT);
    for (bench_set set = SET_L1; set < SET_COUNT; set++)
        for (bench_pattern pattern = PATTERN_UNIFORM; pattern < PATTERN_COUNT; pattern++)
            if (wanted(request, layout, pattern, set))
                bench_pace_expect(PACE_ROUND * rounds_of(request, set));
}

static void expect_all(const bench_request *request, const bench_layouts *layouts) {
    static const bench_section costs[] = {SECTION_SPECIALISE, SECTION_FAULT, SECTION_LIFE, SECTION_SIZE};
    for (size_t i = 0; (request->sections & SECTION_ACCESS) && i < layouts->count; i++)
        expect_layout(request, &layouts->all[i]);
    for (size_t i = 0; i < sizeof costs / sizeof costs[0]; i++)
        if (request->sections & costs[i])
            bench_pace_expect(PACE_COSTS);
    if (request->sections & SECTION_PROGRAMS)
        bench_pace_expect(bench_programs_pace(request->rounds) * (double)PROGRAM_COUNT);
}

static int measure_all(walk_state *state, const bench_layouts *layouts) {
    const bench_request *request = state->request;
    mf_diag diag = {0};
    int code = 0;
    bench_costs *costs = &state->report->costs;
    if ((request->sections & SECTION_SPECIALISE) &&
        bench_specialise_cold(costs, request->quick, &diag) != MF_OK)
        return fail_diag(&diag, NULL);
    state->compiler = bench_compiler_create(&diag);
    if (state->compiler == NULL)
        return fail_diag(&diag, NULL);
    const bench_layout *threaded = threads_layout(layouts);
    expect_all(request, layouts);
    for (size_t i = 0; code == 0 && i < layouts->count; i++) {
        const bench_layout *layout = &layouts->all[i];
        bool threads = layout == threaded && (request->sections & SECTION_THREADS);
        if (state->engines->count > 0 && (threads || (request->sections & SECTION_ACCESS)))
            code = measure_layout(state, layout, threads);
    }
    if (code == 0 && (request->sections & SECTION_PROGRAMS) && request->programs.count > 0)
        code = measure_programs(state->report, request);
    if (code == 0 && measure_costs(state->report, request, &diag) != MF_OK)
        code = fail_diag(&diag, NULL);
    progress_clear();
    return code;
}

int bench_walk(const bench_request *request, const bench_engines *engines, const bench_layouts *layouts,
               bench_report *report) {
    walk_state *state = calloc(1, sizeof *state);
    if (state == NULL)
        abort();
    *report = (bench_report){.engines = engines, .rounds = request->rounds, .quick = request->quick};
    report->counts_instructions = bench_instructions_take() >= 0;
    report->programs.engines = request->programs;
    state->request = request;
    state->engines = engines;
    state->report = report;
    int code = measure_all(state, layouts);
    bench_compiler_destroy(state->compiler);
    free(state);
    return code;
}
