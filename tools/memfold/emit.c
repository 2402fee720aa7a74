/* memfold emit: accessors written ahead of time. */
#include "command.h"
#include "options.h"
#include "output.h"
#include "text.h"
#include "verify_object.h"

#include <memfold/aot.h>

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

typedef struct emit_request {
    command_operands operands;
    mf_layout_format format;
    mf_accessor_options accessors;
    const char *prefix;
    const char *target;
    const char *output_path;
    int kind; /* mf_emit_kind, or -1 while not given */
    bool verifies;
} emit_request;

enum { KEY_EMIT = 0x200, KEY_PREFIX, KEY_TARGET, KEY_VERIFY };

/* In the order of mf_emit_kind. */
static const char emit_kinds[] = "ir|bc|asm|obj|header";

static const struct argp_option emit_options[] = {
    {"emit", KEY_EMIT, emit_kinds, 0, "What to write (required)", 0},
    {"output", 'o', "FILE", 0, "Where to (required); '-' is standard output", 0},
    {"prefix", KEY_PREFIX, "NAME", 0, "Symbols are NAME_load_u8, ... (default: the layout's name)", 0},
    {"target", KEY_TARGET, "TRIPLE", 0, "LLVM triple to emit for (default: this machine)", 0},
    {"verify", KEY_VERIFY, NULL, 0, "Prove the object first, and write nothing unless all holds", 0},
    {0}};

/* Letters of the C locale, whatever the user's is. */
static bool is_word_character(uint32_t character) {
    return character < 0x80 && (isalnum((int)character) || character == '_');
}

static bool is_identifier(const char *name) {
    if (*name == '\0' || (*name >= '0' && *name <= '9'))
        return false;
    while (is_word_character((unsigned char)*name))
        name++;
    return *name == '\0';
}

/* The layout's name as an identifier; the caller frees it. NULL if the host has no memory. */
static char *prefix_from_name(const char *name) {
    char *prefix = malloc(strlen(name) + 2);
    if (prefix == NULL)
        return NULL;
    size_t at = 0;
    if (*name == '\0' || (*name >= '0' && *name <= '9'))
        prefix[at++] = '_';
    for (uint32_t character; (character = mf_character_take(&name)) != 0;)
        prefix[at++] = is_word_character(character) ? (char)character : '_';
    prefix[at] = '\0';
    return prefix;
}

static void check_request(const emit_request *request) {
    if (request->kind < 0)
        usage_error("missing option --emit (%s)", emit_kinds);
    if (request->output_path == NULL)
        usage_error("missing option -o FILE");
    if (request->verifies && request->kind != MF_EMIT_OBJECT)
        usage_error("--verify proves objects: it needs --emit=obj");
}

static error_t take_option(emit_request *request, int key, char *word) {
    switch (key) {
    case KEY_EMIT:
        request->kind = choice_take("emit", emit_kinds, word);
        return 0;
    case KEY_PREFIX:
        if (!is_identifier(word))
            usage_error("'%s' for --prefix is not a C identifier", word);
        request->prefix = word;
        return 0;
    case KEY_TARGET:
        request->target = word;
        return 0;
    case KEY_VERIFY:
        request->verifies = true;
        return 0;
    case 'o':
        request->output_path = word;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t emit_parse(int key, char *word, struct argp_state *state) {
    emit_request *request = state->input;
    if (key == ARGP_KEY_INIT) {
        command_init(state);
        state->child_inputs[0] = &request->accessors;
        state->child_inputs[1] = &request->format;
        return 0;
    }
    if (key == ARGP_KEY_ARG || key == ARGP_KEY_END) {
        error_t result = operands_take(&request->operands, key, word, state);
        if (key == ARGP_KEY_END)
            check_request(request);
        return result;
    }
    return take_option(request, key, word);
}

static const char *const emit_operands[] = {"LAYOUT"};
static const struct argp_child emit_children[] = {
    {&placed_accessor_argp, 0, NULL, 0}, {&format_argp, 0, NULL, 0}, {&help_argp, 0, NULL, 0}, {0}};
static const struct argp emit_argp = {
    emit_options,  emit_parse,
    "LAYOUT",      "Writes the accessors of a layout ahead of time, to be linked without LLVM.",
    emit_children, NULL,
    NULL};

static int write_bytes(const char *path, const char *bytes, size_t byte_count) {
    output_file output;
    if (!output_open(&output, path))
        return EXIT_BAD_INPUT;
    /* A short write is an error of the stream, and so one of output_finish. */
    fwrite(bytes, 1, byte_count, output.stream);
    return output_finish(&output) ? 0 : EXIT_BAD_INPUT;
}

static int emit_file(const mf_layout_file *file, const emit_request *request) {
    const char *path = request->operands.values[0];
    char *named = request->prefix == NULL ? prefix_from_name(file->name) : NULL;
    const char *prefix = request->prefix == NULL ? named : request->prefix;
    if (prefix == NULL)
        return fail_print(path, 0, "%s", mf_status_message(MF_OUT_OF_MEMORY));
    mf_aot_options options = {request->accessors, prefix, request->target};
    mf_diag diag = {0};
    char *bytes;
    size_t byte_count;
    mf_status status =
        mf_aot_emit(file->layout, &options, (mf_emit_kind)request->kind, &bytes, &byte_count, &diag);
    free(named);
    /* The target is a word of the command line, everything else is about the layout. */
    if (status == MF_UNKNOWN_TARGET)
        return fail_diag(&diag, NULL);
    if (status != MF_OK)
        return fail_diag(&diag, path);
    bool is_good =
        !request->verifies || verify_object_bytes(file->layout, bytes, byte_count, &request->accessors, path);
    int code = is_good ? write_bytes(request->output_path, bytes, byte_count) : EXIT_BAD_INPUT;
    mf_aot_free(bytes);
    return code;
}

int emit_main(int argc, char **argv) {
    emit_request request = {.operands = {.names = emit_operands, .count = 1}, .kind = -1};
    command_parse(&emit_argp, "memfold emit", 0, argc, argv, &request);
    mf_layout_file file = {0};
    int code = layout_read(request.operands.values[0], request.format, &file);
    if (code == 0)
        code = emit_file(&file, &request);
    mf_layout_file_fini(&file);
    return code;
}
