/*
 * memfold bench: its command line, and what becomes of the report. The files of the bench, each of which uses
 * only those below it and the command's shared ones:
 *
 *     bench        the subcommand
 *     json, plot   the report for programs, and as a picture
 *     walk         layout after layout, cell after cell
 *     report, headline   what was measured, its tables, and what they come to
 *     measure      a cell: engines are compared, then timed in turn
 *     parallel     the same by one and by two threads
 *     specialise, faults, sizes   what is not an access
 *     costs        their list
 *     life_report  tables, JSON and picture of the lives of memories
 *     lives        rows of lives, in turn
 *     crowd, life_peers   many memories at once; what the host itself takes for the like
 *     program_report   tables, JSON and picture of the programs
 *     programs     whole programs: engines are compared, then timed in turn
 *     program_code, program_scene, program_engines   their machine code, their memories, their engines
 *     scene        a layout's two memories
 *     work         the guest bytes that are touched, and in which order
 *     compiler     from an engine to machine code; bitcode holds guest/
 *     module       from bitcode to machine code, whatever it holds
 *     engines, layouts, clock, summary, pace
 *     guest/       what is compiled together with an engine: loops and peers
 *     programs/    the programs, and the peers of their accesses
 */
#include "bench/json.h"
#include "bench/plot.h"
#include "bench/walk.h"
#include "command.h"
#include "options.h"
#include "output.h"
#include "progress.h"
#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the command line says. */
typedef struct bench_command {
    const char *layout_path; /* NULL: the layouts that the bench brings along */
    mf_layout_format format;
    const char *regions, *engines, *strategies, *json_path, *plot_path;
    bench_request request;
} bench_command;

/* ---- Options ---- */

typedef enum option_key {
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
} option_key;

#define SET_NAMES "L1|L2|1G"
#define ROUNDS_MAX 1000
#define REGIONS_MAX 65536

static const struct argp_option bench_options[] = {
    {"quick", KEY_QUICK, NULL, 0, "About ten seconds: fewer layouts, rounds and samples", 0},
    {"only", KEY_ONLY, "NAME,...", 0,
     "These sections: access (loads and stores alone), programs (whole programs), specialise (code for a "
     "layout), fault (what a fault costs), life (create, clone, reset of memories), size (of code and "
     "tables), "
     "threads (two at once)",
     0},
    {"regions", KEY_REGIONS, "N,...", 0, "Built-in layouts of so many regions (1 to 65536)", 0},
    {"patterns", KEY_PATTERNS, "NAME,...", 0,
     "These patterns of addresses: uniform (random), hot (95 % in one region), sequential, scalar "
     "(sequential, "
     "not vectorised), dependent (each load gives the next address), misses (10 % fault)",
     0},
    {"working-sets", KEY_SETS, "NAME,...", 0,
     "These sizes of what is touched: L1 (24 KiB), L2 (384 KiB), 1G (lines all over 1 GiB)", 0},
    {"engines", KEY_ENGINES, "NAME,...", 0, "These rows: names as below", 0},
    {"strategy", KEY_STRATEGY, "NAME,...", 0,
     "Further rows: inlined copy with these strategies of 'memfold plan --help'", 0},
    {"rounds", KEY_ROUNDS, "N", 0, "Rounds of each cell (default 31)", 0},
    {"json", KEY_JSON, "FILE", 0,
     "Also write everything as JSON; '-' is standard output, and then JSON alone", 0},
    {"plot", KEY_PLOT, "FILE", 0,
     "Also draw ns per access against regions, or else the programs, or else lives, as SVG (needs gnuplot)",
     0},
    {0}};

/* The bits of the words in "a,b" by their places in `choices`. */
static unsigned take_bits(const char *name, const char *choices, const char *words) {
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

static uint64_t take_number(const char *name, const char *word, uint64_t most) {
    uint64_t number = 0;
    if (number_parse(word, most, &number) != NUMBER_OK || number == 0)
        usage_error("'%s' for --%s is not a number from 1 to %ju", word, name, (uintmax_t)most);
    return number;
}

static bool take_option(bench_command *command, int key, const char *word) {
    switch ((option_key)key) {
    case KEY_QUICK:
        command->request.quick = true;
        return true;
    case KEY_ONLY:
        command->request.sections = take_bits("only", BENCH_SECTION_NAMES, word);
        return true;
    case KEY_REGIONS:
        command->regions = word;
        return true;
    case KEY_PATTERNS:
        command->request.patterns = take_bits("patterns", bench_pattern_names, word);
        return true;
    case KEY_SETS:
        command->request.sets = take_bits("working-sets", SET_NAMES, word);
        return true;
    case KEY_ENGINES:
        command->engines = word;
        return true;
    case KEY_STRATEGY:
        command->strategies = word;
        return true;
    case KEY_ROUNDS:
        command->request.rounds = (unsigned)take_number("rounds", word, ROUNDS_MAX);
        return true;
    case KEY_JSON:
        command->json_path = word;
        return true;
    case KEY_PLOT:
        command->plot_path = word;
        return true;
    }
    return false;
}

static void offer_choices(void) {
    static char engine_choices[1024];
    bench_engines_list(engine_choices, sizeof engine_choices);
    command_offer("only", BENCH_SECTION_NAMES);
    command_offer("patterns", bench_pattern_names);
    command_offer("working-sets", SET_NAMES);
    command_offer("engines", engine_choices);
    command_offer("strategy", strategy_choices);
}

static error_t bench_parse(int key, char *word, struct argp_state *state) {
    bench_command *command = state->input;
    if (key == ARGP_KEY_INIT) {
        command_init(state);
        state->child_inputs[0] = &command->format;
        offer_choices();
        return 0;
    }
    if (key == ARGP_KEY_ARG && command->layout_path == NULL) {
        command->layout_path = word;
        return 0;
    }
    if (key == ARGP_KEY_ARG)
        usage_error("unexpected operand '%s'", word);
    return take_option(command, key, word) ? 0 : ARGP_ERR_UNKNOWN;
}

static const char bench_doc[] =
    "Measures loads and stores of memfold beside what others do, in one interleaved run: a summary, then "
    "tables.\v"
    "Rows of accesses, those of others:\n"
    "  raw            no check: the limit\n"
    "  seed           one bound, no permissions\n"
    "  list           the regions, one after the other\n"
    "  search         a branchless binary search among them\n"
    "  bytes          a permission byte for each page\n"
    "  tlb            a software TLB\n"
    "  mprotect       plain accesses, the MMU checks: no record, no order\n"
    "and memfold's:\n"
    "  generic        plain C, through pointers\n"
    "  called-copy, called-paged     made by LLVM, through pointers\n"
    "  stencil-copy, stencil-paged   made by stencils, through pointers\n"
    "  inlined-copy, inlined-paged   in the loop itself\n"
    "\n"
    "Rows of programs, those of others:\n"
    "  native         pointers of C; native-scalar: not vectorised\n"
    "  plain          accesses in a guard-page window\n"
    "  guard          the same, and loads that nobody uses are kept\n"
    "  bounds         the memory's size is checked\n"
    "and memfold's, all inlined:\n"
    "  unchecked      no check\n"
    "  paged          on the MMU; paged-guest: with order=guest\n"
    "  paged-functions   on the MMU, by functions that are inlined\n"
    "  copy-1, copy-4, copy-16, copy-heap   maps of so many regions, or with a heap\n"
    "  copy-4-hot, copy-16-hot   with a hint\n"
    "\n"
    "Addresses span all regions while the touched lines fit the working set, so that a cell shows the check "
    "and not the caches of the machine. Every engine is first compared with a reference: values, faults, "
    "fault "
    "record, memory; if one differs the command says so and exits with 1. Times are for this machine as it "
    "is "
    "loaded now: compare them within one run only.";
static const struct argp_child bench_children[] = {{&format_argp, 0, NULL, 0}, {&help_argp, 0, NULL, 0}, {0}};
static const struct argp bench_argp = {bench_options,  bench_parse, "[LAYOUT]", bench_doc,
                                       bench_children, NULL,        NULL};

/* ---- Layouts ---- */

/* Takes the reference `layout`. */
static void add_layout(bench_layouts *layouts, mf_layout *layout, uint64_t regions, bool large,
                       const char *name) {
    if (layout == NULL)
        abort();
    if (layouts->count == BENCH_LAYOUTS_MAX)
        usage_error("more than %d layouts", BENCH_LAYOUTS_MAX);
    bench_layout *added = &layouts->all[layouts->count++];
    *added = (bench_layout){.layout = layout, .regions = regions, .large = large};
    text_clip(name, sizeof added->name, false, added->name, sizeof added->name);
}

static void add_regions(bench_layouts *layouts, const char *words) {
    char *copy = strdup(words);
    char *rest = copy;
    if (copy == NULL)
        abort();
    for (char *word; (word = strsep(&rest, ",")) != NULL;) {
        uint64_t regions = take_number("regions", word, REGIONS_MAX);
        add_layout(layouts, bench_layout_regions(regions), regions, false, word);
    }
    free(copy);
}

/* The layouts of a command line that names none. */
static void add_usual(bench_layouts *layouts, const bench_command *command) {
    add_regions(layouts, command->request.quick ? "1,256" : "1,2,4,16,64,256,1024,4096");
    if (command->request.quick)
        return;
    add_layout(layouts, bench_layout_pvm(), 0, false, "pvm");
    add_layout(layouts, bench_layout_process(), 0, false, "process");
    add_layout(layouts, bench_layout_elf(), 0, false, "elf");
    add_layout(layouts, bench_layout_large(1), 0, true, "1x1G");
    add_layout(layouts, bench_layout_large(64), 0, true, "64x16M");
}

static int layouts_make(bench_layouts *layouts, const bench_command *command) {
    mf_layout_file file = {0};
    int code = 0;
    if (command->regions != NULL)
        add_regions(layouts, command->regions);
    if (command->layout_path != NULL) {
        code = layout_read(command->layout_path, command->format, &file);
        if (code == 0)
            add_layout(layouts, mf_layout_retain(file.layout), 0, false, file.name);
        mf_layout_file_fini(&file);
    } else if (command->regions == NULL) {
        add_usual(layouts, command);
    }
    return code;
}

/* ---- Reports ---- */

static bool write_json(const bench_report *report, const char *path) {
    output_file output;
    if (!output_open(&output, path))
        return false;
    bench_json_print(report, output.stream);
    return output_finish(&output);
}

static int write_reports(const bench_report *report, const bench_command *command) {
    bool json_alone = command->json_path != NULL && strcmp(command->json_path, STANDARD_STREAM) == 0;
    bool plot_alone = command->plot_path != NULL && strcmp(command->plot_path, STANDARD_STREAM) == 0;
    bool done = true;
    if (!json_alone && !plot_alone)
        bench_report_print(report, stdout);
    if (command->json_path != NULL)
        done = write_json(report, command->json_path);
    if (command->plot_path != NULL)
        done = bench_plot_write(report, command->plot_path) && done;
    return done ? 0 : EXIT_BAD_INPUT;
}

/* Measuring takes minutes: a picture that cannot be drawn is refused before. */
static bool can_plot(const bench_command *command, const bench_layouts *layouts) {
    unsigned sections = command->request.sections;
    bool drawn = (sections & (SECTION_PROGRAMS | SECTION_LIFE)) != 0;
    for (size_t i = 0; i < layouts->count; i++)
        drawn |= (sections & SECTION_ACCESS) != 0 && layouts->all[i].regions > 0;
    return command->plot_path == NULL || bench_plot_check(!drawn);
}

/* Fills in what the command line leaves open. */
static void settle_request(bench_request *request) {
    unsigned all_sets = 1u << SET_L1 | 1u << SET_L2 | 1u << SET_1G;
    if (request->sections == 0)
        request->sections = SECTION_ACCESS | SECTION_SPECIALISE | SECTION_FAULT | SECTION_LIFE |
                            SECTION_SIZE | SECTION_THREADS | SECTION_PROGRAMS;
    if (request->patterns == 0)
        request->patterns = (1u << PATTERN_COUNT) - 1;
    if (request->sets == 0)
        request->sets = request->quick ? 1u << SET_L1 : all_sets;
    if (request->rounds == 0)
        request->rounds = request->quick ? 9 : 31;
}

int bench_main(int argc, char **argv) {
    static bench_engines engines;
    static bench_layouts layouts;
    bench_command command = {0};
    bench_report report = {0};
    command_parse(&bench_argp, "memfold bench", 0, argc, argv, &command);
    settle_request(&command.request);
    bench_engines_make(&engines, command.engines, command.strategies);
    program_engines_make(&command.request.programs, command.engines);
    int code = layouts_make(&layouts, &command);
    if (code == 0 && !can_plot(&command, &layouts))
        code = EXIT_BAD_INPUT;
    progress_begin("bench");
    if (code == 0)
        code = bench_walk(&command.request, &engines, &layouts, &report);
    if (code == 0)
        code = write_reports(&report, &command);
    bench_report_fini(&report);
    for (size_t i = 0; i < layouts.count; i++)
        mf_layout_release(layouts.all[i].layout);
    return code;
}
