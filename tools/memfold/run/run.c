/* memfold run: its command line; the script is read whole, then performed on a memory. */
#include "command.h"
#include "options.h"
#include "run/engine.h"
#include "run/perform.h"
#include "run/script.h"

#include <memfold/generic.h>

#include <stdio.h>
#include <string.h>

typedef struct run_request {
    command_operands operands;
    mf_layout_format format;
    mf_accessor_options accessors;
    run_engine_kind engine;
    mf_empty_range empty_range;
} run_request;

enum { KEY_ENGINE = 0x200, KEY_EMPTY_RANGE };

static const char engine_kinds[] = "jit|stencil|generic";
static const char empty_ranges[] = "anywhere|within";

static const struct argp_option run_options[] = {
    {"engine", KEY_ENGINE, engine_kinds, 0,
     "Who performs the loads and stores: code by LLVM (jit, the default), code by stencils, or plain C", 0},
    {"empty-range", KEY_EMPTY_RANGE, empty_ranges, 0,
     "Where read, write, fill, copy and accessible allow length 0 (within: up to the end of what is "
     "accessible)",
     0},
    {0}};

static void check_request(const run_request *request) {
    if (strcmp(request->operands.values[0], STANDARD_STREAM) == 0 &&
        strcmp(request->operands.values[1], STANDARD_STREAM) == 0)
        usage_error("LAYOUT and SCRIPT cannot both be '%s'", STANDARD_STREAM);
    if (request->engine == ENGINE_GENERIC && mf_generic_accessors(&request->accessors) == NULL)
        usage_error("--engine=generic has no accessors for this --policy or --base");
}

static error_t run_parse(int key, char *word, struct argp_state *state) {
    run_request *request = state->input;
    error_t result;
    switch (key) {
    case ARGP_KEY_INIT:
        command_init(state);
        state->child_inputs[0] = &request->accessors;
        state->child_inputs[1] = &request->format;
        return 0;
    case KEY_ENGINE:
        request->engine = (run_engine_kind)choice_take("engine", engine_kinds, word);
        return 0;
    case KEY_EMPTY_RANGE:
        request->empty_range = (mf_empty_range)choice_take("empty-range", empty_ranges, word);
        return 0;
    case ARGP_KEY_ARG:
    case ARGP_KEY_END:
        result = operands_take(&request->operands, key, word, state);
        if (key == ARGP_KEY_END)
            check_request(request);
        return result;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const char run_doc[] =
    "Performs the accesses of a script and prints one line for each: the command, then its value, 'ok' or "
    "its fault. SCRIPT '-' is standard input.\v"
    "Commands of a script ('#' starts a comment; numbers are decimal or 0x hex, bytes hex):\n"
    "  load u8|u16|u32|u64|i8|i16|i32 ADDRESS\n"
    "  store u8|u16|u32|u64 ADDRESS VALUE\n"
    "  read ADDRESS LENGTH\n"
    "  write ADDRESS BYTE...\n"
    "  fill ADDRESS LENGTH BYTE\n"
    "  copy TO FROM LENGTH\n"
    "  perm ADDRESS\n"
    "  accessible ADDRESS LENGTH load|store\n"
    "  map START SIZE ro|rw [BYTE...]\n"
    "  protect START SIZE none|ro|rw\n"
    "  unmap START SIZE\n"
    "  sbrk BYTES\n"
    "  reset\n"
    "With --policy=none the range is checked before the access, as a client would.";

static const char *const run_operands[] = {"LAYOUT", "SCRIPT"};
static const struct argp_child run_children[] = {
    {&accessor_argp, 0, NULL, 0}, {&format_argp, 0, NULL, 0}, {&help_argp, 0, NULL, 0}, {0}};
static const struct argp run_argp = {run_options, run_parse, "LAYOUT SCRIPT", run_doc, run_children,
                                     NULL,        NULL};

static int perform_script(run_session *session, const char *script_path) {
    for (size_t i = 0; i < session->script->command_count; i++) {
        const run_command *command = &session->script->commands[i];
        if (run_command_perform(session, command) != MF_OK)
            return fail_print(script_path, command->line, "%s", session->diag.message);
    }
    return 0;
}

static int run_in_memory(const mf_layout_file *file, const run_script *script, const run_request *request) {
    run_session session = {.script = script};
    const char *const *paths = request->operands.values;
    const mf_memory_config config = {.backend = request->accessors.backend,
                                     .empty_range = request->empty_range};
    if (mf_memory_create_with(file->layout, file->image, &config, &session.memory, &session.diag) != MF_OK)
        return fail_diag(&session.diag, paths[0]);
    int code = run_engine_init(&session.engine, request->engine, &request->accessors, session.memory,
                               &session.diag) == MF_OK
                   ? perform_script(&session, paths[1])
                   : fail_diag(&session.diag, paths[0]);
    run_engine_fini(&session.engine);
    mf_memory_destroy(session.memory);
    return code;
}

static int run_on_layout(const mf_layout_file *file, const run_request *request) {
    run_script script;
    mf_diag diag = {0};
    uint64_t bad_line;
    const char *path = request->operands.values[1];
    /* The highest sum of a 32-bit address and a 32-bit offset. */
    uint64_t index_max = request->accessors.index == MF_INDEX_U33 ? (UINT64_C(1) << 33) - 1 : UINT32_MAX;
    if (run_script_read(path, index_max, &script, &diag, &bad_line) != MF_OK)
        return fail_print(path, bad_line, "%s", diag.message);
    int code = run_in_memory(file, &script, request);
    run_script_fini(&script);
    return code;
}

int run_main(int argc, char **argv) {
    static char buffer[1 << 16];
    run_request request = {.operands = {.names = run_operands, .count = 2}};
    command_parse(&run_argp, "memfold run", 0, argc, argv, &request);
    setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
    mf_layout_file file = {0};
    int code = layout_read(request.operands.values[0], request.format, &file);
    if (code == 0)
        code = run_on_layout(&file, &request);
    mf_layout_file_fini(&file);
    return code;
}
