/* Reading scripts: a line is a verb and its operands, by the table of verbs below. */
#include "run/script.h"

#include "command.h"
#include "text.h"

#include <memfold/accessors.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a word of a command may be. The words of the enums stand in the enum's order. */
typedef enum script_operand {
    OPERAND_NONE,
    OPERAND_LOAD,      /* u8 ... i32 */
    OPERAND_STORE,     /* u8 ... u64 */
    OPERAND_INDEX,     /* an address of a load or store */
    OPERAND_ADDRESS,   /* 32 bits */
    OPERAND_NUMBER,    /* 64 bits */
    OPERAND_BYTE,      /* a number, 8 bits */
    OPERAND_PERM,      /* none, ro, rw */
    OPERAND_ACCESS,    /* ro, rw */
    OPERAND_OPERATION, /* load, store */
    OPERAND_PAYLOAD    /* the rest of the line, each word a byte in hex */
} script_operand;

#define OPERANDS_MAX 4

typedef struct verb_form {
    const char *word;
    const char *usage;
    uint8_t operands[OPERANDS_MAX];
} verb_form;

static const verb_form verb_forms[] = {
    [VERB_LOAD] = {"load", "KIND ADDRESS", {OPERAND_LOAD, OPERAND_INDEX}},
    [VERB_STORE] = {"store", "KIND ADDRESS VALUE", {OPERAND_STORE, OPERAND_INDEX, OPERAND_NUMBER}},
    [VERB_READ] = {"read", "ADDRESS LENGTH", {OPERAND_ADDRESS, OPERAND_NUMBER}},
    [VERB_WRITE] = {"write", "ADDRESS BYTE...", {OPERAND_ADDRESS, OPERAND_PAYLOAD}},
    [VERB_FILL] = {"fill", "ADDRESS LENGTH BYTE", {OPERAND_ADDRESS, OPERAND_NUMBER, OPERAND_BYTE}},
    [VERB_COPY] = {"copy", "TO FROM LENGTH", {OPERAND_ADDRESS, OPERAND_ADDRESS, OPERAND_NUMBER}},
    [VERB_PERM] = {"perm", "ADDRESS", {OPERAND_ADDRESS}},
    [VERB_ACCESSIBLE] = {"accessible",
                         "ADDRESS LENGTH load|store",
                         {OPERAND_ADDRESS, OPERAND_NUMBER, OPERAND_OPERATION}},
    [VERB_MAP] = {"map",
                  "START SIZE ro|rw [BYTE...]",
                  {OPERAND_NUMBER, OPERAND_NUMBER, OPERAND_ACCESS, OPERAND_PAYLOAD}},
    [VERB_PROTECT] = {"protect", "START SIZE none|ro|rw", {OPERAND_NUMBER, OPERAND_NUMBER, OPERAND_PERM}},
    [VERB_UNMAP] = {"unmap", "START SIZE", {OPERAND_NUMBER, OPERAND_NUMBER}},
    [VERB_SBRK] = {"sbrk", "BYTES", {OPERAND_NUMBER}},
    [VERB_RESET] = {"reset", "no operands", {OPERAND_NONE}}};

/* Where the reader is, and where it reports a mistake. */
typedef struct script_reader {
    run_script *script;
    uint64_t index_max;
    uint64_t line;
    char *rest; /* of the line */
    mf_diag *diag;
} script_reader;

/* A bad word as it may be shown on a terminal. */
#define SHOWN_COLUMNS 40
#define SHOWN_BYTES (4 * SHOWN_COLUMNS + 8)

static mf_status refuse_word(const script_reader *reader, const char *word, const char *what) {
    char shown[SHOWN_BYTES];
    text_clip(word, SHOWN_COLUMNS, false, shown, sizeof shown);
    return mf_diag_set(reader->diag, MF_BAD_INPUT, 0, "%s '%s'", what, shown);
}

static mf_status refuse_count(const script_reader *reader, const verb_form *form) {
    return mf_diag_set(reader->diag, MF_BAD_INPUT, 0, "wrong operand count: %s takes %s", form->word,
                       form->usage);
}

/* Ends the next word of the line and returns it, or NULL. A carriage return counts as space: CRLF files. */
static char *take_word(script_reader *reader) {
    static const char space[] = " \t\r\n";
    char *word = reader->rest + strspn(reader->rest, space);
    if (*word == '\0')
        return NULL;
    reader->rest = word + strcspn(word, space);
    if (*reader->rest != '\0')
        *reader->rest++ = '\0';
    return word;
}

/* About ten million lines; a longer file is a mistake, such as /dev/zero. */
#define SCRIPT_BYTES_MAX (UINT64_C(256) << 20)

/* Doubles `*items` when it is full, so that appending is linear. */
static mf_status make_room(void **items, size_t count, size_t *room, size_t item_bytes, mf_diag *diag) {
    if (count < *room)
        return MF_OK;
    size_t more = *room == 0 ? 64 : 2 * *room;
    void *moved = more > SIZE_MAX / item_bytes ? NULL : realloc(*items, more * item_bytes);
    if (moved == NULL)
        return mf_diag_set(diag, MF_OUT_OF_MEMORY, 0, "%s", mf_status_message(MF_OUT_OF_MEMORY));
    *items = moved;
    *room = more;
    return MF_OK;
}

static mf_status append_payload(const script_reader *reader, unsigned char byte) {
    run_script *script = reader->script;
    void *payload = script->payload;
    mf_status status = make_room(&payload, script->payload_bytes, &script->payload_room, 1, reader->diag);
    script->payload = payload;
    if (status == MF_OK)
        script->payload[script->payload_bytes++] = byte;
    return status;
}

static mf_status append_command(const script_reader *reader, const run_command *command) {
    run_script *script = reader->script;
    void *commands = script->commands;
    mf_status status =
        make_room(&commands, script->command_count, &script->command_room, sizeof *command, reader->diag);
    script->commands = commands;
    if (status == MF_OK)
        script->commands[script->command_count++] = *command;
    return status;
}

static mf_status take_number(const script_reader *reader, const char *word, uint64_t max, uint64_t *number) {
    switch (number_parse(word, max, number)) {
    case NUMBER_OK:
        return MF_OK;
    case NUMBER_MALFORMED:
        return refuse_word(reader, word, "not a number:");
    case NUMBER_TOO_LARGE:
        break;
    }
    return refuse_word(reader, word, "number out of range:");
}

/* One byte of a payload: one or two hex digits, with or without 0x. */
static mf_status take_byte(const script_reader *reader, const char *word) {
    char number[] = "0x00";
    uint64_t byte = 0;
    const char *digits = strncmp(word, "0x", 2) == 0 ? word + 2 : word;
    size_t digit_count = strlen(digits);
    if (digit_count > 2)
        return refuse_word(reader, word, "not a byte of one or two hex digits:");
    memcpy(number + 2, digits, digit_count + 1);
    if (number_parse(number, UINT8_MAX, &byte) != NUMBER_OK)
        return refuse_word(reader, word, "not a byte of one or two hex digits:");
    return append_payload(reader, (unsigned char)byte);
}

static mf_status take_payload(script_reader *reader, run_command *command) {
    command->payload_start = reader->script->payload_bytes;
    mf_status status = MF_OK;
    for (const char *word; status == MF_OK && (word = take_word(reader)) != NULL;)
        status = take_byte(reader, word);
    command->payload_bytes = reader->script->payload_bytes - command->payload_start;
    return status;
}

static mf_status take_kind(const script_reader *reader, const char *word, mf_operation operation,
                           uint8_t *choice) {
    for (unsigned id = 0; id < MF_ACCESSOR_COUNT; id++)
        if (mf_accessor_info_get((mf_accessor_id)id)->operation == operation &&
            strcmp(run_kind_word(id), word) == 0) {
            *choice = (uint8_t)id;
            return MF_OK;
        }
    return refuse_word(reader, word, operation == MF_LOAD ? "unknown kind of load" : "unknown kind of store");
}

/* Finds `word` from place `least` on. */
static mf_status take_choice(const script_reader *reader, const char *word, const char *const *words,
                             unsigned least, uint8_t *choice) {
    for (unsigned place = least; words[place] != NULL; place++)
        if (strcmp(words[place], word) == 0) {
            *choice = (uint8_t)place;
            return MF_OK;
        }
    return refuse_word(reader, word, words == run_perm_words ? "unknown permission" : "unknown operation");
}

/* Reads one word. Numbers go to `*number`, which then moves on. */
static mf_status take_operand(const script_reader *reader, const char *word, script_operand operand,
                              run_command *command, uint64_t **number) {
    switch (operand) {
    case OPERAND_LOAD:
        return take_kind(reader, word, MF_LOAD, &command->choice);
    case OPERAND_STORE:
        return take_kind(reader, word, MF_STORE, &command->choice);
    case OPERAND_INDEX:
        return take_number(reader, word, reader->index_max, (*number)++);
    case OPERAND_ADDRESS:
        return take_number(reader, word, UINT32_MAX, (*number)++);
    case OPERAND_NUMBER:
        return take_number(reader, word, UINT64_MAX, (*number)++);
    case OPERAND_BYTE:
        return take_number(reader, word, UINT8_MAX, (*number)++);
    case OPERAND_PERM:
        return take_choice(reader, word, run_perm_words, MF_PERM_NONE, &command->choice);
    case OPERAND_ACCESS:
        return take_choice(reader, word, run_perm_words, MF_PERM_RO, &command->choice);
    case OPERAND_OPERATION:
        return take_choice(reader, word, run_operation_words, MF_LOAD, &command->choice);
    case OPERAND_PAYLOAD:
    case OPERAND_NONE:
        break;
    }
    return MF_OK;
}

static mf_status read_operands(script_reader *reader, const verb_form *form, run_command *command) {
    uint64_t *number = command->numbers;
    for (unsigned i = 0; i < OPERANDS_MAX && form->operands[i] != OPERAND_NONE; i++) {
        if (form->operands[i] == OPERAND_PAYLOAD)
            return take_payload(reader, command);
        const char *word = take_word(reader);
        if (word == NULL)
            return refuse_count(reader, form);
        mf_status status = take_operand(reader, word, (script_operand)form->operands[i], command, &number);
        if (status != MF_OK)
            return status;
    }
    return take_word(reader) == NULL ? MF_OK : refuse_count(reader, form);
}

static mf_status read_command(script_reader *reader, const char *word) {
    run_command command = {.line = reader->line};
    for (unsigned verb = 0; verb < sizeof verb_forms / sizeof verb_forms[0]; verb++) {
        if (strcmp(verb_forms[verb].word, word) != 0)
            continue;
        command.verb = (uint8_t)verb;
        mf_status status = read_operands(reader, &verb_forms[verb], &command);
        return status == MF_OK ? append_command(reader, &command) : status;
    }
    return refuse_word(reader, word, "unknown command");
}

static mf_status read_line(script_reader *reader, char *line, size_t line_bytes) {
    if (memchr(line, '\0', line_bytes) != NULL)
        return mf_diag_set(reader->diag, MF_BAD_INPUT, 0, "NUL byte");
    line[strcspn(line, "#")] = '\0';
    reader->rest = line;
    const char *word = take_word(reader);
    return word == NULL ? MF_OK : read_command(reader, word);
}

/* A line with its newline, in storage that grows. */
typedef struct script_line {
    char *text;
    size_t bytes;
    size_t room;
} script_line;

/*
 * Reads at most `most` bytes of the next line, and terminates them. No bytes: the end of the stream, or an
 * error of it.
 */
static mf_status get_line(FILE *stream, script_line *line, size_t most, mf_diag *diag) {
    mf_status status = MF_OK;
    line->bytes = 0;
    for (int c = 0; status == MF_OK && c != '\n' && line->bytes < most;) {
        c = getc_unlocked(stream);
        void *text = line->text;
        status = make_room(&text, line->bytes + 1, &line->room, 1, diag);
        line->text = text;
        if (status != MF_OK || c == EOF)
            break;
        line->text[line->bytes++] = (char)c;
        line->text[line->bytes] = '\0';
    }
    return status;
}

static mf_status fail_stream(script_reader *reader) {
    reader->line = 0;
    mf_status status = errno == ENOMEM ? MF_OUT_OF_MEMORY : MF_IO;
    return mf_diag_set(reader->diag, status, 0, "%s", strerror(errno));
}

static mf_status read_stream(script_reader *reader, FILE *stream) {
    script_line line = {0};
    size_t left_bytes = SCRIPT_BYTES_MAX;
    mf_status status = get_line(stream, &line, left_bytes, reader->diag);
    while (status == MF_OK && line.bytes > 0) {
        left_bytes -= line.bytes;
        reader->line++;
        status = left_bytes > 0
                     ? read_line(reader, line.text, line.bytes)
                     : mf_diag_set(reader->diag, MF_BAD_INPUT, 0, "the script is larger than 256 MiB");
        if (status == MF_OK)
            status = get_line(stream, &line, left_bytes, reader->diag);
    }
    if (status == MF_OK && !feof(stream))
        status = fail_stream(reader);
    free(line.text);
    return status;
}

mf_status run_script_read(const char *path, uint64_t index_max, run_script *script, mf_diag *diag,
                          uint64_t *bad_line) {
    *script = (run_script){0};
    script_reader reader = {.script = script, .index_max = index_max, .diag = diag};
    bool standard_input = strcmp(path, STANDARD_STREAM) == 0;
    FILE *stream = standard_input ? stdin : fopen(path, "rb");
    mf_status status =
        stream == NULL ? mf_diag_set(diag, MF_IO, 0, "%s", strerror(errno)) : read_stream(&reader, stream);
    if (stream != NULL && !standard_input)
        fclose(stream);
    if (status != MF_OK) {
        *bad_line = reader.line;
        run_script_fini(script);
    }
    return status;
}

void run_script_fini(run_script *script) {
    free(script->commands);
    free(script->payload);
    *script = (run_script){0};
}
