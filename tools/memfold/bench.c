/* memfold bench: its command line, and the walk over layouts, patterns and working sets. */
#include "bench.h"

#include "options.h"
#include "output.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct bench_request {
    const char *layout_path; /* NULL: the layouts that the bench brings along */
    mf_layout_format format;
    const char *regions, *engines, *strategies, *json_path, *plot_path;
    unsigned sections; /* bits of enum section */
    unsigned patterns; /* bits by enum pattern */
    unsigned sets;     /* bits by enum working_set */
    uint64_t rounds;
    bool quick;
};

/* ---- The command line ---- */

enum option_key {
    KEY_QUICK = 0x200,
    KEY_ONLY,
    KEY_REGIONS,
    KEY_PATTERNS,
    KEY_SETS,
    KEY_ENGINES,
    KEY_STRATEGY,
    KEY_ROUNDS,
    KEY_JSON,
    KEY_PLOT
};

#define SET_NAMES "L1|L2|1G"
#define MOST_ROUNDS 1000
#define MOST_REGIONS 65536

static const struct argp_option bench_options[] = {
    {"quick", KEY_QUICK, NULL, 0, "About ten seconds: fewer layouts, rounds and samples", 0},
    {"only", KEY_ONLY, SECTION_NAMES, 0, "These sections, separated by commas", 0},
    {"regions", KEY_REGIONS, "N,...", 0, "Built-in layouts with so many regions (1 to 65536)", 0},
    {"patterns", KEY_PATTERNS, pattern_names, 0, "These patterns of addresses", 0},
    {"working-sets", KEY_SETS, SET_NAMES, 0, "Touched bytes: 24 KiB, 384 KiB, lines all over 1 GiB", 0},
    {"engines", KEY_ENGINES, "NAME,...", 0, "These engines: names as in the tables", 0},
    {"strategy", KEY_STRATEGY, "NAME,...", 0,
     "Further engines: inlined copy with these strategies of 'memfold plan --help'", 0},
    {"rounds", KEY_ROUNDS, "N", 0, "Rounds of each cell (default 31)", 0},
    {"json", KEY_JSON, "FILE", 0,
     "Also write everything as JSON; '-' is standard output, and then JSON alone", 0},
    {"plot", KEY_PLOT, "FILE", 0, "Also draw ns per access against regions as SVG (needs gnuplot)", 0},
    {0}};

/* The bits of the words in "a,b" by their places in `choices`. */
static unsigned bits_take(const char *name, const char *choices, const char *words) {
    unsigned bits = 0;
    char *copy = strdup(words);
    char *rest = copy;
    if (copy == NULL)
        abort();
    for (char *word; (word = strsep(&rest, ",")) != NULL;)
        bits |= 1u << choice_take(name, choices, word);
    free(copy);
    return bits;
}

static uint64_t number_take(const char *name, const char *word, uint64_t most) {
    uint64_t number = 0;
    if (number_parse(word, most, &number) != NUMBER_OK || number == 0)
        usage_error("'%s' for --%s is not a number from 1 to %ju", word, name, (uintmax_t)most);
    return number;
}

static bool option_take(struct bench_request *request, int key, const char *word) {
    switch ((enum option_key)key) {
    case KEY_QUICK:
        request->quick = true;
        return true;
    case KEY_ONLY:
        request->sections = bits_take("only", SECTION_NAMES, word);
        return true;
    case KEY_REGIONS:
        request->regions = word;
        return true;
    case KEY_PATTERNS:
        request->patterns = bits_take("patterns", pattern_names, word);
        return true;
    case KEY_SETS:
        request->sets = bits_take("working-sets", SET_NAMES, word);
        return true;
    case KEY_ENGINES:
        request->engines = word;
        return true;
    case KEY_STRATEGY:
        request->strategies = word;
        return true;
    case KEY_ROUNDS:
        request->rounds = number_take("rounds", word, MOST_ROUNDS);
        return true;
    case KEY_JSON:
        request->json_path = word;
        return true;
    case KEY_PLOT:
        request->plot_path = word;
        return true;
    }
    return false;
}

static error_t bench_parse(int key, char *word, struct argp_state *state) {
    struct bench_request *request = state->input;
    if (key == ARGP_KEY_INIT) {
        command_init(state);
        state->child_inputs[0] = &request->format;
        return 0;
    }
    if (key == ARGP_KEY_ARG && request->layout_path == NULL) {
        request->layout_path = word;
        return 0;
    }
    if (key == ARGP_KEY_ARG)
        usage_error("unexpected operand '%s'", word);
    return option_take(request, key, word) ? 0 : ARGP_ERR_UNKNOWN;
}

static const char bench_doc[] =
    "Measures loads and stores of memfold beside what others do, in one interleaved run.\n"
    "\n"
    "Peers: raw (no check), seed (bounds only), list (region list), search (branchless binary search), bytes "
    "(a permission byte per page), tlb (software TLB), mprotect (plain loads, the MMU checks). memfold: "
    "generic, "
    "called-copy, called-paged, inlined-copy, inlined-paged.\v"
    "Addresses span all regions while the touched lines fit the working set, so that a cell shows the check "
    "and not "
    "the caches of the machine. Every engine is first compared with a reference: values, faults, fault "
    "record, "
    "memory; if one differs the command says so and exits with 1. Times are for this machine as it is loaded "
    "now: compare them within one run only.";
static const struct argp_child bench_children[] = {{&format_argp, 0, NULL, 0}, {&help_argp, 0, NULL, 0}, {0}};
static const struct argp bench_argp = {bench_options,  bench_parse, "[LAYOUT]", bench_doc,
                                       bench_children, NULL,        NULL};

/* ---- Layouts ---- */

#define MOST_LAYOUTS 64

struct layouts {
    struct bench_layout all[MOST_LAYOUTS];
    size_t count;
};

/* Takes the layout. */
static void add_layout(struct layouts *layouts, mf_layout *layout, uint64_t regions, bool large,
                       const char *name) {
    if (layout == NULL)
        abort();
    if (layouts->count == MOST_LAYOUTS)
        usage_error("more than %d layouts", MOST_LAYOUTS);
    struct bench_layout *added = &layouts->all[layouts->count++];
    *added = (struct bench_layout){.layout = layout, .regions = regions, .large = large};
    snprintf(added->name, sizeof added->name, "%s", name);
}

static void add_regions(struct layouts *layouts, const char *words) {
    char *copy = strdup(words);
    char *rest = copy;
    if (copy == NULL)
        abort();
    for (char *word; (word = strsep(&rest, ",")) != NULL;) {
        uint64_t regions = number_take("regions", word, MOST_REGIONS);
        add_layout(layouts, bench_layout_regions(regions), regions, false, word);
    }
    free(copy);
}

/* What is measured if the command line does not say. */
static void add_usual(struct layouts *layouts, const struct bench_request *request) {
    add_regions(layouts, request->quick ? "1,256" : "1,2,4,16,64,256,1024,4096");
    if (request->quick)
        return;
    add_layout(layouts, bench_layout_pvm(), 0, false, "pvm");
    add_layout(layouts, bench_layout_process(), 0, false, "process");
    add_layout(layouts, bench_layout_elf(), 0, false, "elf");
    add_layout(layouts, bench_layout_large(1), 0, true, "1x1G");
    add_layout(layouts, bench_layout_large(64), 0, true, "64x16M");
}

static int layouts_make(struct layouts *layouts, const struct bench_request *request) {
    mf_layout_file file = {0};
    int code = 0;
    if (request->regions != NULL)
        add_regions(layouts, request->regions);
    if (request->layout_path != NULL) {
        code = layout_read(request->layout_path, request->format, &file);
        if (code == 0)
            add_layout(layouts, mf_layout_retain(file.layout), 0, false, file.name);
        mf_layout_file_fini(&file);
    } else if (request->regions == NULL) {
        add_usual(layouts, request);
    }
    return code;
}

/* ---- The walk ---- */

struct bench_run_state {
    const struct bench_request *request;
    struct engine_list engines;
    struct layouts layouts;
    bench_compiler *compiler;
    struct report report;
    struct engine_code codes[MOST_ENGINES];
    struct engine_code reference;
};

static void tell(const char *doing, const char *what) {
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r\033[Kbench: %s %s", doing, what);
}

/* A strategy that is not exact for a layout has no code there, and why is said; any other failure ends the
 * run. */
static int compile_all(struct bench_run_state *state, const struct bench_layout *layout) {
    static const struct engine_spec reference = {.form = FORM_GENERIC};
    mf_diag diag = {0};
    for (size_t i = 0; i < state->engines.count; i++) {
        const struct engine_spec *spec = &state->engines.all[i];
        mf_status status = engine_compile(state->compiler, spec, layout->layout, &state->codes[i], &diag);
        if (status == MF_INEXACT_STRATEGY)
            fail_print(NULL, 0, "bench: %s is left out for layout %s: %s", spec->name, layout->name,
                       diag.message);
        else if (status != MF_OK)
            return fail_diag(&diag, "memfold");
    }
    if (engine_compile(state->compiler, &reference, layout->layout, &state->reference, &diag) != MF_OK)
        return fail_diag(&diag, "memfold");
    return 0;
}

static struct cell *add_cell(struct report *report) {
    struct cell *cells = realloc(report->cells, (report->cell_count + 1) * sizeof *cells);
    if (cells == NULL)
        abort();
    report->cells = cells;
    return &cells[report->cell_count];
}

static int measure_work(struct bench_run_state *state, struct scene *scene, const struct work *work,
                        enum working_set set) {
    mf_diag diag = {0};
    struct cell *cell = add_cell(&state->report);
    *cell = (struct cell){.layout = scene->layout, .pattern = work->pattern, .set = set};
    if (scene_prepare(scene, work, &diag) != MF_OK)
        return fail_diag(&diag, "memfold");
    unsigned rounds = set == SET_1G ? (state->report.rounds + 2) / 3 : state->report.rounds;
    if (!cell_measure(cell, scene, work, &state->engines, state->codes, &state->reference, rounds))
        return EXIT_BAD_INPUT;
    state->report.cell_count++;
    return 0;
}

/* The largest working set goes with the layouts that are as large. */
static bool wanted(const struct bench_run_state *state, const struct bench_layout *layout,
                   enum pattern pattern, enum working_set set) {
    const struct bench_request *request = state->request;
    if ((request->patterns >> pattern & 1) == 0 || (request->sets >> set & 1) == 0)
        return false;
    if (layout->large != (set == SET_1G))
        return false;
    return set != SET_1G || pattern == PATTERN_UNIFORM || pattern == PATTERN_DEPENDENT;
}

static int measure_cells(struct bench_run_state *state, struct scene *scene) {
    int code = 0;
    for (enum working_set set = SET_L1; code == 0 && set < SET_COUNT; set++)
        for (enum pattern pattern = PATTERN_UNIFORM; code == 0 && pattern < PATTERN_COUNT; pattern++) {
            struct work work;
            if (!wanted(state, scene->layout, pattern, set))
                continue;
            tell(scene->layout->name, pattern_titles[pattern]);
            if (work_make(&work, scene->layout->layout, pattern, set))
                code = measure_work(state, scene, &work, set);
            work_fini(&work);
        }
    return code;
}

static int measure_threads(struct bench_run_state *state, struct scene *scene) {
    mf_diag diag = {0};
    struct work work;
    int code = 0;
    if (!work_make(&work, scene->layout->layout, PATTERN_UNIFORM, SET_L2))
        return 0;
    if (scene_prepare(scene, &work, &diag) != MF_OK)
        code = fail_diag(&diag, "memfold");
    else if (!threads_measure(&state->report.costs, scene, &work, &state->engines, state->codes))
        code = EXIT_BAD_INPUT;
    work_fini(&work);
    return code;
}

static int measure_layout(struct bench_run_state *state, const struct bench_layout *layout, bool threads) {
    struct scene scene;
    mf_diag diag = {0};
    int code = 0;
    tell(layout->name, "is compiled for");
    if (scene_init(&scene, layout, &diag) != MF_OK)
        code = fail_diag(&diag, "memfold");
    if (code == 0)
        code = compile_all(state, layout);
    state->report.huge_pages = scene.huge_pages;
    if (code == 0 && (state->request->sections & SECTION_ACCESS))
        code = measure_cells(state, &scene);
    if (code == 0 && threads)
        code = measure_threads(state, &scene);
    for (size_t i = 0; i < state->engines.count; i++)
        engine_code_fini(&state->codes[i]);
    scene_fini(&scene);
    return code;
}

/* Threads are measured on one layout: the last with a number of regions up to 256. */
static const struct bench_layout *threads_layout(const struct layouts *layouts) {
    const struct bench_layout *found = &layouts->all[0];
    for (size_t i = 0; i < layouts->count; i++)
        if (layouts->all[i].regions > 0 && layouts->all[i].regions <= 256)
            found = &layouts->all[i];
    return found;
}

static int measure_all(struct bench_run_state *state) {
    const struct bench_request *request = state->request;
    mf_diag diag = {0};
    int code = 0;
    struct cost_list *costs = &state->report.costs;
    if ((request->sections & SECTION_SPECIALISE) && costs_cold(costs, request->quick, &diag) != MF_OK)
        return fail_diag(&diag, "memfold");
    state->compiler = bench_compiler_create(&diag);
    if (state->compiler == NULL)
        return fail_diag(&diag, "memfold");
    const struct bench_layout *threaded = threads_layout(&state->layouts);
    for (size_t i = 0; code == 0 && i < state->layouts.count; i++) {
        const struct bench_layout *layout = &state->layouts.all[i];
        bool threads = layout == threaded && (request->sections & SECTION_THREADS);
        if (threads || (request->sections & SECTION_ACCESS))
            code = measure_layout(state, layout, threads);
    }
    tell("other", "costs");
    if (code == 0 && costs_measure(costs, request->sections, request->quick, &diag) != MF_OK)
        code = fail_diag(&diag, "memfold");
    tell("", "");
    return code;
}

/* ---- Reports ---- */

static bool write_json(const struct report *report, const char *path) {
    struct output output;
    if (!output_open(&output, path))
        return false;
    report_json(report, output.stream);
    return output_finish(&output);
}

static int write_reports(const struct report *report, const struct bench_request *request) {
    bool json_alone = request->json_path != NULL && strcmp(request->json_path, STANDARD_STREAM) == 0;
    bool plot_alone = request->plot_path != NULL && strcmp(request->plot_path, STANDARD_STREAM) == 0;
    bool done = true;
    if (!json_alone && !plot_alone)
        report_print(report, stdout);
    if (request->json_path != NULL)
        done = write_json(report, request->json_path);
    if (request->plot_path != NULL)
        done = report_plot(report, request->plot_path) && done;
    return done ? 0 : EXIT_BAD_INPUT;
}

static void state_fini(struct bench_run_state *state) {
    bench_compiler_destroy(state->compiler);
    for (size_t i = 0; i < state->layouts.count; i++)
        mf_layout_release(state->layouts.all[i].layout);
    free(state->report.cells);
    free(state->report.costs.all);
    free(state);
}

/* What the command line leaves open. */
static void settle_request(struct bench_request *request) {
    unsigned all_sets = 1u << SET_L1 | 1u << SET_L2 | 1u << SET_1G;
    if (request->sections == 0)
        request->sections = SECTION_ACCESS | SECTION_SPECIALISE | SECTION_FAULT | SECTION_LIFE |
                            SECTION_SIZE | SECTION_THREADS;
    if (request->patterns == 0)
        request->patterns = (1u << PATTERN_COUNT) - 1;
    if (request->sets == 0)
        request->sets = request->quick ? 1u << SET_L1 : all_sets;
    if (request->rounds == 0)
        request->rounds = request->quick ? 9 : 31;
}

int bench_main(int argc, char **argv) {
    struct bench_request request = {0};
    command_parse(&bench_argp, "memfold bench", 0, argc, argv, &request);
    settle_request(&request);
    struct bench_run_state *state = calloc(1, sizeof *state);
    if (state == NULL)
        abort();
    state->request = &request;
    engine_list_make(&state->engines, request.engines, request.strategies);
    int code = layouts_make(&state->layouts, &request);
    state->report.engines = &state->engines;
    state->report.layouts = state->layouts.all;
    state->report.layout_count = state->layouts.count;
    state->report.rounds = (unsigned)request.rounds;
    state->report.quick = request.quick;
    state->report.counts_instructions = instructions_take() >= 0;
    if (code == 0)
        code = measure_all(state);
    if (code == 0)
        code = write_reports(&state->report, &request);
    state_fini(state);
    return code;
}
