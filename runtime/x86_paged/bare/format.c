/*
 * os_format without a C library: the conversions %s %c %d %u %x %%, the lengths l, ll and z, a minimum
 * width and its leading zero. What is none of these is copied as it stands, and no argument is taken for it.
 */
#include "os.h"

#include <stdint.h>

typedef struct output {
    char *text;
    size_t text_bytes;
    size_t length; /* also of what has no room */
} output;

/* One conversion, without its letter. */
typedef struct conversion {
    unsigned width;
    bool fills_with_zeros;
    bool is_long;
} conversion;

static void put(output *out, char c) {
    if (out->length + 1 < out->text_bytes)
        out->text[out->length] = c;
    out->length++;
}

static void put_text(output *out, const char *text) {
    while (*text != '\0')
        put(out, *text++);
}

static void put_number(output *out, const conversion *how, uint64_t magnitude, unsigned radix,
                       bool is_negative) {
    char digits[20];
    unsigned count = 0;
    do {
        digits[count++] = "0123456789abcdef"[magnitude % radix];
        magnitude /= radix;
    } while (magnitude != 0);
    unsigned length = count + is_negative;
    if (is_negative && how->fills_with_zeros)
        put(out, '-');
    for (unsigned i = length; i < how->width; i++)
        put(out, how->fills_with_zeros ? '0' : ' ');
    if (is_negative && !how->fills_with_zeros)
        put(out, '-');
    while (count > 0)
        put(out, digits[--count]);
}

/* The conversion that begins at `*at`, which then is its letter. */
static conversion read_conversion(const char **at) {
    conversion how = {.fills_with_zeros = **at == '0'};
    while (**at >= '0' && **at <= '9')
        how.width = how.width * 10 + (unsigned)(*(*at)++ - '0');
    while (**at == 'l' || **at == 'z') {
        how.is_long = true;
        (*at)++;
    }
    return how;
}

size_t os_format(char *text, size_t text_bytes, const char *format, va_list arguments) {
    output out = {text, text_bytes, 0};
    for (const char *at = format; *at != '\0'; at++) {
        if (*at != '%') {
            put(&out, *at);
            continue;
        }
        const char *start = at++;
        conversion how = read_conversion(&at);
        switch (*at) {
        case 's':
            put_text(&out, va_arg(arguments, const char *));
            break;
        case 'c':
            put(&out, (char)va_arg(arguments, int));
            break;
        case 'd': {
            int64_t value = how.is_long ? va_arg(arguments, int64_t) : va_arg(arguments, int);
            put_number(&out, &how, value < 0 ? -(uint64_t)value : (uint64_t)value, 10, value < 0);
            break;
        }
        case 'u':
        case 'x': {
            uint64_t value = how.is_long ? va_arg(arguments, uint64_t) : va_arg(arguments, unsigned);
            put_number(&out, &how, value, *at == 'x' ? 16 : 10, false);
            break;
        }
        case '%':
            put(&out, '%');
            break;
        default:
            put(&out, '%');
            at = start;
        }
    }
    if (text_bytes > 0)
        text[out.length < text_bytes ? out.length : text_bytes - 1] = '\0';
    return out.length;
}
