/*
 * Scanning a text of bytes: its words are found by a table of character classes, hashed and counted, and some
 * patterns are searched for by Horspool's method.
 */
#include "program.h"

enum { TEXT_BYTES = 120000, PATTERNS = 4, PATTERN_BYTES = 8, BUCKETS = 1024 };
enum { TEXT, CLASSES, SOUGHT, COUNTS, SHIFTS };

static uint64_t count_words(guest g, place text, place classes, place counts) {
    uint32_t hash = 0;
    uint64_t words = 0;
    for (int i = 0; i < TEXT_BYTES; i++) {
        uint8_t character = get_u8(g, text, i);
        if (get_u8(g, classes, character) != 0) {
            hash = (hash ^ character) * UINT32_C(16777619);
        } else if (hash != 0) {
            int bucket = (int)(hash >> 16) % BUCKETS;
            put_u32(g, counts, bucket, get_u32(g, counts, bucket) + 1);
            hash = 0;
            words++;
        }
    }
    return words;
}

static uint64_t search(guest g, place text, place pattern, place shifts) {
    uint64_t found = 0;
    for (int i = 0; i < 256; i++)
        put_u8(g, shifts, i, PATTERN_BYTES);
    for (int i = 0; i < PATTERN_BYTES - 1; i++)
        put_u8(g, shifts, get_u8(g, pattern, i), (uint8_t)(PATTERN_BYTES - 1 - i));
    for (int at = 0; at + PATTERN_BYTES <= TEXT_BYTES;) {
        int i = PATTERN_BYTES - 1;
        while (i >= 0 && get_u8(g, text, at + i) == get_u8(g, pattern, i))
            i--;
        found += i < 0;
        at += get_u8(g, shifts, get_u8(g, text, at + PATTERN_BYTES - 1));
    }
    return found;
}

static uint64_t run(guest g, const program_work *work) {
    place text = program_place(g, work, TEXT);
    place counts = program_place(g, work, COUNTS);
    for (int i = 0; i < BUCKETS; i++)
        put_u32(g, counts, i, 0);
    uint64_t sum = count_words(g, text, program_place(g, work, CLASSES), counts);
    for (int i = 0; i < PATTERNS; i++)
        sum = sum * 100 + search(g, text, program_place(g, work, SOUGHT) + i * PATTERN_BYTES,
                                 program_place(g, work, SHIFTS));
    return sum;
}

/* Words of syllables, so that patterns are met in part often and as a whole sometimes. */
static void fill(unsigned char *const *arrays) {
    static const char syllables[16][3] = {"me", "mo", "ry", "fo", "ld", "pa", "ge", "wi",
                                          "nd", "ow", "ta", "b ", "a ", "n ", "s ", ". "};
    static const char sought[PATTERNS][PATTERN_BYTES + 1] = {"memofold", "pagewind", "s mory. ", "ryryowge"};
    uint64_t random = 7;
    for (int i = 0; i < TEXT_BYTES; i += 2) {
        const char *syllable = syllables[program_random(&random) % 16];
        arrays[TEXT][i] = (unsigned char)syllable[0];
        arrays[TEXT][i + 1] = (unsigned char)syllable[1];
    }
    for (int i = 0; i < 256; i++)
        arrays[CLASSES][i] = i >= 'a' && i <= 'z';
    for (int i = 0; i < PATTERNS * PATTERN_BYTES; i++)
        arrays[SOUGHT][i] = (unsigned char)sought[i / PATTERN_BYTES][i % PATTERN_BYTES];
}

PROGRAM(scan, "words and patterns in a text, bytes", PROGRAM_READ_ONLY(TEXT_BYTES), PROGRAM_READ_ONLY(256),
        PROGRAM_READ_ONLY(PATTERNS *PATTERN_BYTES), PROGRAM_WRITABLE(BUCKETS * 4), PROGRAM_WRITABLE(256))
