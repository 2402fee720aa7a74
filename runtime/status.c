/* Statuses and diagnostics as text. The only file of the runtime that formats. */
#include <memfold/status.h>

#include "os.h"

static const struct {
    const char *name;
    const char *message;
} statuses[] = {
#define MF_X(code, name, message) {name, message},
    MF_STATUSES(MF_X)
#undef MF_X
};

const char *mf_status_name(mf_status status) {
    return (unsigned)status < MF_STATUS_COUNT ? statuses[status].name : "unknown";
}

const char *mf_status_message(mf_status status) {
    return (unsigned)status < MF_STATUS_COUNT ? statuses[status].message : "unknown status";
}

/* ---- Characters ---- */

/* Bytes of the UTF-8 sequence that `first` begins, 0 if it begins none, and the bits it contributes. */
static unsigned begin_sequence(unsigned char first, uint32_t *bits) {
    unsigned length = first < 0x80                    ? 1
                      : first >= 0xc2 && first < 0xe0 ? 2
                      : first >= 0xe0 && first < 0xf0 ? 3
                      : first >= 0xf0 && first < 0xf5 ? 4
                                                      : 0;
    *bits = length <= 1 ? first : first & (0xffu >> (length + 1));
    return length;
}

/* Overlong forms, surrogates and values above the last plane are malformed. */
static bool scalar_is_valid(uint32_t scalar, unsigned length) {
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    return scalar >= least[length] && scalar <= 0x10ffff && (scalar < 0xd800 || scalar > 0xdfff);
}

/* Not a control of the terminal, nor of what the reader sees of the text around it, nor a noncharacter. */
static bool scalar_is_shown(uint32_t scalar) {
    static const struct {
        uint32_t first, last;
    } hidden[] = {{0, 0x1f},        {0x7f, 0x9f},       {0xad, 0xad},      {0x61c, 0x61c},   {0x180e, 0x180e},
                  {0x200b, 0x200f}, {0x2028, 0x202e},   {0x2060, 0x206f},  {0xfdd0, 0xfdef}, {0xfeff, 0xfeff},
                  {0xfff9, 0xfffb}, {0x1d173, 0x1d17a}, {0xe0000, 0xe007f}};
    for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++)
        if (scalar >= hidden[i].first && scalar <= hidden[i].last)
            return false;
    return (scalar & 0xfffe) != 0xfffe;
}

uint32_t mf_character_take(const char **text) {
    const unsigned char *bytes = (const unsigned char *)*text;
    if (bytes[0] == '\0')
        return 0;
    uint32_t scalar;
    unsigned length = begin_sequence(bytes[0], &scalar);
    for (unsigned i = 1; i < length; i++) {
        if ((bytes[i] & 0xc0) != 0x80) {
            length = 0;
            break;
        }
        scalar = scalar << 6 | (bytes[i] & 0x3f);
    }
    *text += length == 0 ? 1 : length;
    return length != 0 && scalar_is_valid(scalar, length) && scalar_is_shown(scalar) ? scalar : '?';
}

/*
 * Writes `text` with its hidden characters replaced, cut after a whole character, and returns the length of
 * all of it.
 */
static size_t show(const char *text, char *to, size_t to_bytes) {
    size_t length = 0;
    size_t end = 0;
    for (const char *from = text; *text != '\0'; from = text) {
        bool is_replaced = mf_character_take(&text) == '?';
        size_t bytes = is_replaced ? 1 : (size_t)(text - from);
        bool has_room = end == length && length + bytes < to_bytes;
        for (size_t i = 0; has_room && i < bytes; i++)
            to[end++] = is_replaced ? '?' : from[i];
        length += bytes;
    }
    if (to_bytes > 0)
        to[end] = '\0';
    return length;
}

/* Takes away the beginning of a character whose rest did not fit. */
static void drop_cut_character(char *text, size_t length) {
    size_t begin = length;
    while (begin > 0 && length - begin < 3 && ((unsigned char)text[begin - 1] & 0xc0) == 0x80)
        begin--;
    uint32_t bits;
    if (begin > 0 && begin_sequence((unsigned char)text[begin - 1], &bits) > length - begin + 1)
        text[begin - 1] = '\0';
}

/* ---- Diagnostics ---- */

mf_status mf_diag_set(mf_diag *diag, mf_status status, uint64_t value, const char *format, ...) {
    if (diag == NULL)
        return status;
    char message[sizeof diag->message];
    va_list arguments;
    va_start(arguments, format);
    size_t length = os_format(message, sizeof message, format, arguments);
    va_end(arguments);
    if (length >= sizeof message)
        drop_cut_character(message, sizeof message - 1);
    *diag = (mf_diag){.status = status, .value = value};
    show(message, diag->message, sizeof diag->message);
    return status;
}

__attribute__((format(printf, 3, 4))) static size_t print(char *text, size_t text_bytes, const char *format,
                                                          ...) {
    va_list arguments;
    va_start(arguments, format);
    size_t length = os_format(text, text_bytes, format, arguments);
    va_end(arguments);
    return length;
}

/* Writes what is known of line and column, with a trailing ": ", and returns its length. */
static size_t print_line(const mf_diag *diag, char *text, size_t text_bytes) {
    const char *colon = diag->file[0] != '\0' ? ":" : "";
    if (diag->line != 0 && diag->column != 0)
        return print(text, text_bytes, "%s%u:%u: ", colon, diag->line, diag->column);
    if (diag->line != 0)
        return print(text, text_bytes, "%s%u: ", colon, diag->line);
    return diag->file[0] != '\0' ? print(text, text_bytes, ": ") : 0;
}

/* The part of `text` behind `length` bytes; NULL and no room where that is beyond its end. */
typedef struct rest_of_text {
    char *text;
    size_t bytes;
} rest_of_text;

static rest_of_text rest_behind(char *text, size_t text_bytes, size_t length) {
    size_t room = text_bytes > length ? text_bytes - length : 0;
    return (rest_of_text){room > 0 ? text + length : NULL, room};
}

size_t mf_diag_print(const mf_diag *diag, char *text, size_t text_bytes) {
    const char *message = diag->message[0] != '\0' ? diag->message : mf_status_message(diag->status);
    size_t length = show(diag->file, text, text_bytes);
    rest_of_text rest = rest_behind(text, text_bytes, length);
    length += print_line(diag, rest.text, rest.bytes);
    rest = rest_behind(text, text_bytes, length);
    return length + show(message, rest.text, rest.bytes);
}
