#include "verify_sweep.h"

#include "command.h"
#include "progress.h"
#include "text.h"

#include <memfold/sweep.h>

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Options ---- */

enum { KEY_EXHAUSTIVE = 0x300, KEY_ACCESSOR, KEY_FROM, KEY_TO, KEY_HEAP_PAGES, KEY_JOBS };

/* "|load_u8|...|store_u64": without the first bar what the shells offer. */
static const char accessor_choices[] =
#define MF_X(ID, name, operation, width, sign) "|" #name
    MF_ACCESSORS(MF_X)
#undef MF_X
    ;

static const struct argp_option sweep_argp_options[] = {
    {NULL, 0, NULL, 0, "Calls of the accessors (without an option: near edges, and a sample):", 3},
    {"exhaustive", KEY_EXHAUSTIVE, NULL, 0, "Call them at every address; paged: in every page", 3},
    {"accessor", KEY_ACCESSOR, "NAME", 0, "Call this one alone; may be repeated", 3},
    {"from", KEY_FROM, "ADDRESS", 0, "Begin there, as an interrupted --exhaustive says", 3},
    {"to", KEY_TO, "ADDRESS", 0, "End before it", 3},
    {"heap-pages", KEY_HEAP_PAGES, "N", 0, "The heap's pages in --exhaustive (default: half)", 3},
    {"jobs", KEY_JOBS, "N", 0, "So many processes (default: one for each processor)", 3},
    {0}};

static uint64_t number_take(const char *name, const char *word, uint64_t max) {
    uint64_t number = 0;
    switch (number_parse(word, max, &number)) {
    case NUMBER_OK:
        return number;
    case NUMBER_MALFORMED:
        usage_error("'%s' for --%s is not a number", word, name);
    case NUMBER_TOO_LARGE:
        break;
    }
    usage_error("'%s' for --%s is out of range", word, name);
}

static uint32_t accessor_take(const char *word) {
    for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++)
        if (strcmp(mf_accessor_info_get(id)->name, word) == 0)
            return UINT32_C(1) << id;
    usage_error("there is no accessor '%s'", word);
}

/* The largest index is that of 33 bits. */
#define INDEX_END (2 * MF_SPACE_BYTES)

static error_t sweep_parse(int key, char *word, struct argp_state *state) {
    sweep_options *options = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        command_offer("accessor", accessor_choices + 1);
        return 0;
    case KEY_EXHAUSTIVE:
        options->is_exhaustive = true;
        return 0;
    case KEY_ACCESSOR:
        options->accessors |= accessor_take(word);
        return 0;
    case KEY_FROM:
        options->first = number_take("from", word, INDEX_END);
        options->has_range = true;
        return 0;
    case KEY_TO:
        options->end = number_take("to", word, INDEX_END);
        options->has_range = true;
        return 0;
    case KEY_HEAP_PAGES:
        options->heap_pages = (uint32_t)number_take("heap-pages", word, MF_SPACE_PAGES);
        options->has_heap_pages = true;
        return 0;
    case KEY_JOBS:
        options->jobs = (uint32_t)number_take("jobs", word, 64);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp sweep_argp = {sweep_argp_options, sweep_parse, NULL, NULL, NULL, NULL, NULL};

void sweep_options_check(const sweep_options *options) {
    if (options->has_range && !options->is_exhaustive)
        usage_error("--from and --to need --exhaustive");
    if (options->has_heap_pages && !options->is_exhaustive)
        usage_error("--heap-pages needs --exhaustive");
    if (options->end != 0 && options->end <= options->first)
        usage_error("--to is not behind --from");
}

/* ---- The sweep ---- */

/* Set by the first SIGINT; a second one ends the command. */
static volatile sig_atomic_t is_interrupted;

static void note_interrupt(int number) {
    is_interrupted = 1;
    signal(number, SIG_DFL);
}

static bool watch(void *context, const mf_sweep_progress *progress) {
    (void)context;
    double part = progress->total == 0 ? 1 : (double)progress->done / (double)progress->total;
    progress_update(part, "sweep");
    return !is_interrupted;
}

static mf_sweep_request make_request(const mf_layout *layout, const sweep_options *options) {
    uint32_t half = mf_layout_heap(layout).max_pages / 2;
    return (mf_sweep_request){.is_exhaustive = options->is_exhaustive,
                              .accessors = options->accessors,
                              .first = options->first,
                              .end = options->end,
                              .heap_pages = options->has_heap_pages ? options->heap_pages : half,
                              .processes = options->jobs,
                              .watcher = watch};
}

static int print_report(const mf_sweep_report *report, const char *layout_path) {
    char text[4096];
    for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++)
        if (report->swept[id] > 0)
            printf("%-9s  swept %" PRIu64 " addresses\n", mf_accessor_info_get(id)->name, report->swept[id]);
    if (report->flaw != MF_SWEEP_NO_FLAW) {
        mf_sweep_print(report, text, sizeof text);
        fputs(text, stdout);
        return EXIT_BAD_INPUT;
    }
    if (!report->is_complete)
        return fail_print(layout_path, 0, "interrupted; --from=0x%" PRIx64 " goes on", report->next);
    return 0;
}

static int sweep_code(mf_memory *memory, const mf_code *code, const mf_accessor_options *accessors,
                      const mf_sweep_request *request, const char *layout_path) {
    mf_sweep_report report;
    mf_diag diag = {0};
    progress_begin("verify");
    void (*before)(int) = request->is_exhaustive ? signal(SIGINT, note_interrupt) : SIG_DFL;
    mf_status status = mf_sweep_run(memory, mf_code_accessors(code), accessors, request, &report, &diag);
    if (request->is_exhaustive)
        signal(SIGINT, before);
    progress_clear();
    return status == MF_OK ? print_report(&report, layout_path) : fail_diag(&diag, layout_path);
}

int verify_sweep(const mf_layout *layout, const mf_accessor_options *accessors, const mf_code_maker *maker,
                 const sweep_options *options, const char *layout_path) {
    const mf_jit_config config = {.maker = maker};
    const mf_memory_config kind = {.backend = accessors->backend, .huge_pages = MF_HUGE_PAGES_NEVER};
    const mf_sweep_request request = make_request(layout, options);
    mf_accessor_options placed = *accessors;
    mf_memory *memory = NULL;
    mf_jit *jit = NULL;
    mf_code *code = NULL;
    mf_diag diag = {0};
    mf_status status = mf_memory_create_with(layout, NULL, &kind, &memory, &diag);
    if (status == MF_OK && placed.base == MF_BASE_CONSTANT)
        placed.base_address = (uint64_t)(uintptr_t)mf_memory_view(memory)->base;
    if (status == MF_OK)
        status = mf_jit_create(&config, &jit, &diag);
    if (status == MF_OK)
        status = mf_jit_get_for(jit, memory, &placed, &code, &diag);
    int result = status == MF_OK ? sweep_code(memory, code, &placed, &request, layout_path)
                                 : fail_diag(&diag, layout_path);
    mf_code_release(code);
    mf_jit_destroy(jit);
    mf_memory_destroy(memory);
    return result;
}
