/* Words and numbers as people read and write them: parsing, UTF-8, sizes. */
#include "text.h"

#include <memfold/status.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int digit_value(char digit, unsigned radix) {
    int value = digit >= '0' && digit <= '9'   ? digit - '0'
                : digit >= 'a' && digit <= 'f' ? digit - 'a' + 10
                : digit >= 'A' && digit <= 'F' ? digit - 'A' + 10
                                               : -1;
    return value < (int)radix ? value : -1;
}

number_result number_parse(const char *word, uint64_t max, uint64_t *number) {
    unsigned radix = 10;
    if (word[0] == '0' && word[1] == 'x') {
        radix = 16;
        word += 2;
    }
    if (*word == '\0')
        return NUMBER_MALFORMED;
    uint64_t value = 0;
    bool too_large = false;
    for (; *word != '\0'; word++) {
        int digit = digit_value(*word, radix);
        if (digit < 0)
            return NUMBER_MALFORMED;
        /* value * radix + digit <= max, without leaving 64 bits. */
        too_large |= (uint64_t)digit > max || value > (max - (uint64_t)digit) / radix;
        value = too_large ? 0 : value * radix + (uint64_t)digit;
    }
    if (too_large)
        return NUMBER_TOO_LARGE;
    *number = value;
    return NUMBER_OK;
}

int choice_find(const char *choices, const char *word) {
    size_t word_bytes = strlen(word);
    for (int place = 0;; place++) {
        size_t choice_bytes = strcspn(choices, "|");
        if (choice_bytes == word_bytes && memcmp(choices, word, word_bytes) == 0)
            return place;
        if (choices[choice_bytes] == '\0')
            return -1;
        choices += choice_bytes + 1;
    }
}

/* A terminal shows these scripts two columns wide and marks that combine in none. */
static unsigned scalar_columns(uint32_t scalar) {
    static const struct {
        uint32_t first, last;
    } wide[] = {{0x1100, 0x115f}, {0x2e80, 0xa4cf}, {0xac00, 0xd7a3},   {0xf900, 0xfaff},  {0xfe30, 0xfe6f},
                {0xff00, 0xff60}, {0xffe0, 0xffe6}, {0x1f300, 0x1faff}, {0x20000, 0x3fffd}};
    if (scalar >= 0x300 && scalar <= 0x36f)
        return 0;
    for (size_t i = 0; i < sizeof wide / sizeof wide[0]; i++)
        if (scalar >= wide[i].first && scalar <= wide[i].last)
            return 2;
    return 1;
}

unsigned text_columns(const char *text) {
    unsigned columns = 0;
    for (uint32_t scalar; (scalar = mf_character_take(&text)) != 0;)
        columns += scalar_columns(scalar);
    return columns;
}

static size_t write_scalar(uint32_t scalar, char to[4]) {
    if (scalar < 0x80) {
        to[0] = (char)scalar;
        return 1;
    }
    size_t length = scalar < 0x800 ? 2 : scalar < 0x10000 ? 3 : 4;
    for (size_t i = length - 1; i > 0; i--, scalar >>= 6)
        to[i] = (char)(0x80 | (scalar & 0x3f));
    to[0] = (char)((0xf00u >> length & 0xf0) | scalar);
    return length;
}

unsigned text_clip(const char *text, unsigned columns, bool ascii_only, char *to, size_t to_bytes) {
    static const char ellipsis[] = "...";
    const unsigned ellipsis_columns = sizeof ellipsis - 1;
    bool whole = text_columns(text) <= columns;
    unsigned room = whole ? columns : columns > ellipsis_columns ? columns - ellipsis_columns : 0;
    unsigned used = 0;
    size_t at = 0;
    for (uint32_t scalar; (scalar = mf_character_take(&text)) != 0;) {
        unsigned width = scalar_columns(scalar);
        if (used + width > room || at + sizeof ellipsis + 4 > to_bytes)
            break;
        if (ascii_only && scalar >= 0x80) {
            scalar = '?';
            width = 1;
        }
        at += write_scalar(scalar, to + at);
        used += width;
    }
    memcpy(to + at, ellipsis, whole ? 0 : ellipsis_columns);
    at += whole ? 0 : ellipsis_columns;
    to[at] = '\0';
    return used + (whole ? 0 : ellipsis_columns);
}

const char *size_print(uint64_t bytes, char text[SIZE_TEXT_BYTES]) {
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    unsigned unit = 0;
    while (unit + 1 < sizeof units / sizeof units[0] && bytes >> (10 * (unit + 1)) != 0)
        unit++;
    uint64_t scale = UINT64_C(1) << (10 * unit);
    uint64_t whole = bytes / scale, part = bytes % scale;
    /* Below 2^40 * 1000 < 2^64; rounded down, so that 1023.999 KiB never reads 1024. */
    uint64_t thousandths = part * 1000 / scale;
    if (part * 1000 % scale != 0) {
        snprintf(text, SIZE_TEXT_BYTES, "~%" PRIu64 ".%02u %s", whole, (unsigned)(thousandths / 10) % 100,
                 units[unit]);
        return text;
    }
    char decimals[8] = "";
    if (thousandths != 0)
        snprintf(decimals, sizeof decimals, ".%03u", (unsigned)thousandths);
    size_t length = strlen(decimals);
    while (length > 0 && decimals[length - 1] == '0')
        decimals[--length] = '\0';
    snprintf(text, SIZE_TEXT_BYTES, "%" PRIu64 "%s %s", whole, decimals, units[unit]);
    return text;
}
