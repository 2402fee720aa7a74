#include "note/note.h"

#include <memfold/plan.h>

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* ---- Printing ---- */

typedef struct printer {
    char *text;
    size_t length;
} printer;

__attribute__((format(printf, 2, 3))) static void print(printer *p, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    size_t room = NOTE_TEXT_BYTES_MAX + 1 - p->length;
    int length = vsnprintf(p->text + p->length, room, format, arguments);
    va_end(arguments);
    assert(length >= 0 && (size_t)length < room);
    p->length += (size_t)length;
}

size_t note_print(const mf_object_note *note, char text[NOTE_TEXT_BYTES_MAX + 1]) {
    printer p = {.text = text};
    print(&p, "memfold %s\nabi %" PRIu32 "\nprefix %s\nfingerprint 0x%016" PRIx64 "\n", note->version,
          note->abi_version, note->prefix, note->fingerprint);
#define MF_X(ID, type, field, largest) print(&p, #field " %" PRIu64 "\n", (uint64_t)note->options.field);
    MF_ACCESSOR_OPTIONS(MF_X)
#undef MF_X
    return p.length;
}

/* ---- Reading ---- */

/* What is left of the text, and the line that is being read. */
typedef struct reader {
    const char *at;
    size_t left;
    uint32_t line;
    mf_diag *diag;
} reader;

__attribute__((format(printf, 2, 3))) static bool refuse(const reader *r, const char *format, ...) {
    char message[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    mf_diag_set(r->diag, MF_BAD_INPUT, r->line, "line %" PRIu32 " of the note %s", r->line, message);
    return false;
}

/* Takes "NAME VALUE\n" and copies VALUE, at most `value_bytes` - 1 characters that can be shown and no blank.
 */
static bool take_line(reader *r, const char *name, char *value, size_t value_bytes) {
    size_t name_length = strlen(name);
    r->line++;
    if (r->left <= name_length || memcmp(r->at, name, name_length) != 0 || r->at[name_length] != ' ')
        return refuse(r, "does not begin with '%s '", name);
    const char *from = r->at + name_length + 1;
    size_t left = r->left - name_length - 1;
    size_t length = 0;
    while (length < left && from[length] > ' ' && from[length] <= '~')
        length++;
    if (length == 0 || length == left || from[length] != '\n' || length >= value_bytes)
        return refuse(r, "has no value for '%s' or one that is too long", name);
    memcpy(value, from, length);
    value[length] = '\0';
    r->at = from + length + 1;
    r->left = left - length - 1;
    return true;
}

static bool take_number(reader *r, const char *name, uint64_t largest, uint64_t *number) {
    char value[24];
    if (!take_line(r, name, value, sizeof value))
        return false;
    uint64_t read = 0;
    for (const char *digit = value; *digit != '\0'; digit++) {
        uint64_t unit = (uint64_t)(unsigned char)*digit - '0';
        if (unit > 9 || __builtin_mul_overflow(read, 10, &read) || __builtin_add_overflow(read, unit, &read))
            return refuse(r, "has no number for '%s' but '%s'", name, value);
    }
    if (read > largest)
        return refuse(r, "says %s = %" PRIu64 ", which is no value of it", name, read);
    *number = read;
    return true;
}

static bool take_fingerprint(reader *r, uint64_t *fingerprint) {
    static const char DIGITS[] = "0123456789abcdef";
    char value[19];
    if (!take_line(r, "fingerprint", value, sizeof value))
        return false;
    if (strlen(value) != 18 || memcmp(value, "0x", 2) != 0 || strspn(value + 2, DIGITS) != 16)
        return refuse(r, "has no fingerprint but '%s'", value);
    *fingerprint = 0;
    for (const char *digit = value + 2; *digit != '\0'; digit++)
        *fingerprint = *fingerprint << 4 | (uint64_t)(strchr(DIGITS, *digit) - DIGITS);
    return true;
}

static bool take_all(reader *r, mf_object_note *note) {
    uint64_t number = 0;
    if (!take_line(r, "memfold", note->version, sizeof note->version) ||
        !take_number(r, "abi", UINT32_MAX, &number))
        return false;
    note->abi_version = (uint32_t)number;
    if (!take_line(r, "prefix", note->prefix, sizeof note->prefix) ||
        !take_fingerprint(r, &note->fingerprint))
        return false;
#define MF_X(ID, type, field, largest)                                                                       \
    if (!take_number(r, #field, (uint64_t)(largest), &number))                                               \
        return false;                                                                                        \
    note->options.field = (type)number;
    MF_ACCESSOR_OPTIONS(MF_X)
#undef MF_X
    r->line++;
    return r->left == 0 || refuse(r, "is one too many");
}

/* One text for each note: numbers with zeros before them, and the like, are refused here. */
static bool is_as_printed(const mf_object_note *note, const char *text, size_t text_bytes) {
    char printed[NOTE_TEXT_BYTES_MAX + 1];
    return note_print(note, printed) == text_bytes && memcmp(printed, text, text_bytes) == 0;
}

mf_status note_parse(const char *text, size_t text_bytes, mf_object_note *note, mf_diag *diag) {
    reader r = {text, text_bytes, 0, diag};
    mf_object_note read = {0};
    if (text_bytes > NOTE_TEXT_BYTES_MAX)
        return mf_diag_set(diag, MF_BAD_INPUT, text_bytes, "the note is longer than %d bytes",
                           NOTE_TEXT_BYTES_MAX);
    if (!take_all(&r, &read))
        return MF_BAD_INPUT;
    if (!is_as_printed(&read, text, text_bytes))
        return mf_diag_set(diag, MF_BAD_INPUT, 0,
                           "the note has a number that is not written as memfold does");
    mf_diag error = {0};
    if (mf_accessor_options_validate(&read.options, &error) != MF_OK)
        return mf_diag_set(diag, MF_BAD_INPUT, error.value, "the note's options do not go together: %s",
                           error.message);
    *note = read;
    return MF_OK;
}
