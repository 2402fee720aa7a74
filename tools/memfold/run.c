#include "command.h"
#include "engine.h"
#include "options.h"
#include "script.h"

#include <memfold/generic.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct run_request {
    struct operands operands;
    mf_layout_format format;
    mf_accessor_options accessors;
    engine_kind engine;
};

enum { KEY_ENGINE = 0x200 };

static const char engine_kinds[] = "jit|generic";

static const struct argp_option run_options[] = {
    {"engine", KEY_ENGINE, engine_kinds, 0, "Who performs the loads and stores (default jit)", 0}, {0}};

static void run_request_check(const struct run_request *request) {
    if (strcmp(request->operands.values[0], STANDARD_STREAM) == 0 &&
        strcmp(request->operands.values[1], STANDARD_STREAM) == 0)
        usage_error("LAYOUT and SCRIPT cannot both be '%s'", STANDARD_STREAM);
    if (request->accessors.base_address != 0)
        usage_error("--base-address is the memory's own here");
    if (request->engine == ENGINE_GENERIC && mf_generic_accessors(&request->accessors) == NULL)
        usage_error("--engine=generic has no accessors for this --policy or --base");
}

static error_t run_parse(int key, char *word, struct argp_state *state) {
    struct run_request *request = state->input;
    error_t result;
    switch (key) {
    case ARGP_KEY_INIT:
        command_init(state);
        state->child_inputs[0] = &request->accessors;
        state->child_inputs[1] = &request->format;
        return 0;
    case KEY_ENGINE:
        request->engine = (engine_kind)choice_take("engine", engine_kinds, word);
        return 0;
    case ARGP_KEY_ARG:
    case ARGP_KEY_END:
        result = operands_take(&request->operands, key, word, state);
        if (key == ARGP_KEY_END)
            run_request_check(request);
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

/* A script in progress. */
struct session {
    mf_memory *memory;
    struct engine engine;
    const struct script *script;
    mf_diag diag;
};

static void fault_print(const mf_fault *fault) {
    printf(" ! %s 0x%" PRIx64 "\n", fault->kind == MF_WRITE_PROTECTED ? "write-protected" : "page-fault",
           fault->page);
}

static void outcome_print(struct session *session, bool done) {
    mf_fault fault = mf_memory_last_fault(session->memory);
    if (done)
        puts(" ok");
    else
        fault_print(&fault);
}

/* A change of pages was done or refused; any other status is an error of the host. */
static bool change_is_answered(mf_status status) {
    return status == MF_OK || status == MF_UNALIGNED_START || status == MF_UNALIGNED_SIZE ||
           status == MF_OVERFLOW;
}

static void change_print(struct session *session, mf_status status) {
    if (status == MF_OK) {
        engine_layout_changed(&session->engine);
        puts(" ok");
    } else {
        printf(" ! %s 0x%" PRIx64 "\n", mf_status_name(status), session->diag.value);
    }
}

/* Never NULL, also for no bytes. */
static const unsigned char *payload_of(const struct session *session, const struct script_command *command) {
    static const unsigned char none;
    return command->payload_bytes == 0 ? &none : session->script->payload + command->payload_start;
}

/*
 * Every command: perform it, then print its line. An error of the host prints nothing, so that the output
 * ends with the last command that was performed.
 */
typedef mf_status perform(struct session *session, const struct script_command *command);

static mf_status perform_load(struct session *session, const struct script_command *command) {
    uint64_t value = 0;
    mf_fault fault;
    mf_status status = engine_access(&session->engine, (mf_accessor_id)command->choice, command->numbers[0],
                                     &value, &fault, &session->diag);
    if (status != MF_OK)
        return status;
    printf("load %s 0x%08" PRIx64, script_kind_word(command->choice), command->numbers[0]);
    if (fault.kind == MF_FAULT_NONE)
        printf(" = 0x%016" PRIx64 "\n", value);
    else
        fault_print(&fault);
    return MF_OK;
}

static mf_status perform_store(struct session *session, const struct script_command *command) {
    uint64_t value = command->numbers[1];
    mf_fault fault;
    mf_status status = engine_access(&session->engine, (mf_accessor_id)command->choice, command->numbers[0],
                                     &value, &fault, &session->diag);
    if (status != MF_OK)
        return status;
    printf("store %s 0x%08" PRIx64, script_kind_word(command->choice), command->numbers[0]);
    if (fault.kind == MF_FAULT_NONE)
        puts(" ok");
    else
        fault_print(&fault);
    return MF_OK;
}

static mf_status perform_read(struct session *session, const struct script_command *command) {
    static const char digits[] = "0123456789abcdef";
    uint64_t length = command->numbers[1];
    const unsigned char *bytes =
        mf_memory_span(session->memory, (uint32_t)command->numbers[0], length, MF_LOAD);
    printf("read 0x%08" PRIx64 " %" PRIu64, command->numbers[0], length);
    if (bytes == NULL) {
        outcome_print(session, false);
        return MF_OK;
    }
    fputs(" =", stdout);
    for (uint64_t i = 0; i < length; i++) {
        char text[3] = {' ', digits[bytes[i] >> 4], digits[bytes[i] & 15]};
        fwrite(text, 1, sizeof text, stdout);
    }
    putchar('\n');
    return MF_OK;
}

static mf_status perform_write(struct session *session, const struct script_command *command) {
    const unsigned char *payload = payload_of(session, command);
    bool done =
        mf_memory_write(session->memory, (uint32_t)command->numbers[0], payload, command->payload_bytes);
    printf("write 0x%08" PRIx64 " %zu", command->numbers[0], command->payload_bytes);
    outcome_print(session, done);
    return MF_OK;
}

static mf_status perform_fill(struct session *session, const struct script_command *command) {
    const uint64_t *numbers = command->numbers;
    bool done = mf_memory_fill(session->memory, (uint32_t)numbers[0], (uint8_t)numbers[2], numbers[1]);
    printf("fill 0x%08" PRIx64 " %" PRIu64 " 0x%02" PRIx64, numbers[0], numbers[1], numbers[2]);
    outcome_print(session, done);
    return MF_OK;
}

static mf_status perform_copy(struct session *session, const struct script_command *command) {
    const uint64_t *numbers = command->numbers;
    bool done = mf_memory_copy(session->memory, (uint32_t)numbers[0], (uint32_t)numbers[1], numbers[2]);
    printf("copy 0x%08" PRIx64 " 0x%08" PRIx64 " %" PRIu64, numbers[0], numbers[1], numbers[2]);
    outcome_print(session, done);
    return MF_OK;
}

static mf_status perform_perm(struct session *session, const struct script_command *command) {
    mf_perm perm = mf_memory_perm_of(session->memory, (uint32_t)command->numbers[0]);
    printf("perm 0x%08" PRIx64 " = %s\n", command->numbers[0], script_perm_word(perm));
    return MF_OK;
}

static mf_status perform_accessible(struct session *session, const struct script_command *command) {
    const uint64_t *numbers = command->numbers;
    bool yes = mf_memory_is_accessible(session->memory, (uint32_t)numbers[0], numbers[1],
                                       (mf_operation)command->choice);
    printf("accessible 0x%08" PRIx64 " %" PRIu64 " %s = %s\n", numbers[0], numbers[1],
           script_operation_word(command->choice), yes ? "yes" : "no");
    return MF_OK;
}

static mf_status perform_map(struct session *session, const struct script_command *command) {
    const uint64_t *numbers = command->numbers;
    mf_status status =
        mf_memory_map_region(session->memory, numbers[0], numbers[1], (mf_access)command->choice,
                             payload_of(session, command), command->payload_bytes, &session->diag);
    if (!change_is_answered(status))
        return status;
    printf("map 0x%08" PRIx64 " 0x%" PRIx64 " %s", numbers[0], numbers[1], script_perm_word(command->choice));
    change_print(session, status);
    return MF_OK;
}

static mf_status perform_protect(struct session *session, const struct script_command *command) {
    const uint64_t *numbers = command->numbers;
    mf_status status =
        mf_memory_protect(session->memory, numbers[0], numbers[1], (mf_perm)command->choice, &session->diag);
    if (!change_is_answered(status))
        return status;
    printf("protect 0x%08" PRIx64 " 0x%" PRIx64 " %s", numbers[0], numbers[1],
           script_perm_word(command->choice));
    change_print(session, status);
    return MF_OK;
}

static mf_status perform_unmap(struct session *session, const struct script_command *command) {
    const uint64_t *numbers = command->numbers;
    mf_status status = mf_memory_unmap(session->memory, numbers[0], numbers[1], &session->diag);
    if (!change_is_answered(status))
        return status;
    printf("unmap 0x%08" PRIx64 " 0x%" PRIx64, numbers[0], numbers[1]);
    change_print(session, status);
    return MF_OK;
}

static mf_status perform_sbrk(struct session *session, const struct script_command *command) {
    uint64_t old_top = 0;
    mf_status status = mf_memory_sbrk(session->memory, command->numbers[0], &old_top, &session->diag);
    if (status != MF_OK && status != MF_HEAP_REFUSED)
        return status;
    printf("sbrk %" PRIu64, command->numbers[0]);
    if (status == MF_OK)
        printf(" = 0x%08" PRIx64 "\n", old_top);
    else
        puts(" ! refused");
    return MF_OK;
}

static mf_status perform_reset(struct session *session, const struct script_command *command) {
    (void)command;
    mf_status status = mf_memory_reset(session->memory, &session->diag);
    if (status != MF_OK)
        return status;
    fputs("reset", stdout);
    change_print(session, status);
    return MF_OK;
}

static perform *const performers[] = {[VERB_LOAD] = perform_load,   [VERB_STORE] = perform_store,
                                      [VERB_READ] = perform_read,   [VERB_WRITE] = perform_write,
                                      [VERB_FILL] = perform_fill,   [VERB_COPY] = perform_copy,
                                      [VERB_PERM] = perform_perm,   [VERB_ACCESSIBLE] = perform_accessible,
                                      [VERB_MAP] = perform_map,     [VERB_PROTECT] = perform_protect,
                                      [VERB_UNMAP] = perform_unmap, [VERB_SBRK] = perform_sbrk,
                                      [VERB_RESET] = perform_reset};

static int script_run(struct session *session, const char *script_path) {
    for (size_t i = 0; i < session->script->command_count; i++) {
        const struct script_command *command = &session->script->commands[i];
        if (performers[command->verb](session, command) != MF_OK)
            return fail_print(script_path, command->line, "%s", session->diag.message);
    }
    return 0;
}

static int layout_run(const mf_layout_file *file, const struct script *script,
                      const struct run_request *request) {
    struct session session = {.script = script};
    const char *const *paths = request->operands.values;
    if (mf_memory_create(file->layout, file->image, request->accessors.backend, &session.memory,
                         &session.diag) != MF_OK)
        return fail_diag(&session.diag, paths[0]);
    int code = engine_init(&session.engine, request->engine, &request->accessors, session.memory,
                           &session.diag) == MF_OK
                   ? script_run(&session, paths[1])
                   : fail_diag(&session.diag, paths[0]);
    engine_fini(&session.engine);
    mf_memory_destroy(session.memory);
    return code;
}

static int scripted_run(const mf_layout_file *file, const struct run_request *request) {
    struct script script;
    mf_diag diag = {0};
    uint64_t bad_line;
    const char *path = request->operands.values[1];
    /* The highest sum of a 32-bit address and a 32-bit offset. */
    uint64_t index_max = request->accessors.index == MF_INDEX_U33 ? (UINT64_C(1) << 33) - 1 : UINT32_MAX;
    if (script_read(path, index_max, &script, &diag, &bad_line) != MF_OK)
        return fail_print(path, bad_line, "%s", diag.message);
    int code = layout_run(file, &script, request);
    script_fini(&script);
    return code;
}

int run_main(int argc, char **argv) {
    static char buffer[1 << 16];
    struct run_request request = {.operands = {.names = run_operands, .count = 2}};
    command_parse(&run_argp, "memfold run", 0, argc, argv, &request);
    setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
    mf_layout_file file = {0};
    int code = layout_read(request.operands.values[0], request.format, &file);
    if (code == 0)
        code = scripted_run(&file, &request);
    mf_layout_file_fini(&file);
    return code;
}
