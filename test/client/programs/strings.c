/* Words: built, hashed, counted in a table of lists from sbrk, searched, reversed and sorted; byte accesses.
 */
#include "program.h"

#define WORDS 20000u
#define BUCKETS 1024u

typedef struct word {
    struct word *next;
    uint32_t count;
    char text[12];
} word;

static word *buckets[BUCKETS];
static char *book;
static size_t book_length;

static const char *const SYLLABLES[] = {"ba", "ke", "li", "mo", "nu", "ra", "si", "to"};

static void append(const char *text) {
    size_t length = text_length(text);
    memcpy(book + book_length, text, length);
    book_length += length;
}

static void write_book(void) {
    uint64_t seed = 5;
    book = platform_sbrk(WORDS * 9 + 1);
    for (unsigned i = 0; i < WORDS; i++) {
        uint64_t random = random_next(&seed);
        for (unsigned n = 0; n <= random % 4; n++)
            append(SYLLABLES[random >> (8 + 3 * n) & 7]);
        append(" ");
    }
}

static int compare(const char *a, const char *b) {
    while (*a != 0 && *a == *b)
        a++, b++;
    return (unsigned char)*a - (unsigned char)*b;
}

static uint32_t hash(const char *text) {
    uint32_t h = 5381;
    for (; *text != 0; text++)
        h = h * 33 ^ (unsigned char)*text;
    return h;
}

static void count_word(const char *text) {
    word **place = &buckets[hash(text) % BUCKETS];
    while (*place != NULL && compare((*place)->text, text) != 0)
        place = &(*place)->next;
    if (*place == NULL) {
        *place = platform_sbrk(sizeof **place);
        memcpy((*place)->text, text, text_length(text) + 1);
    }
    (*place)->count++;
}

static void count_words(void) {
    char text[12];
    size_t length = 0;
    for (size_t i = 0; i < book_length; i++) {
        if (book[i] != ' ') {
            text[length++] = book[i];
            continue;
        }
        text[length] = 0;
        count_word(text);
        length = 0;
    }
}

static size_t occurrences(const char *needle) {
    size_t found = 0;
    size_t length = text_length(needle);
    for (size_t i = 0; i + length <= book_length; i++) {
        size_t n = 0;
        while (n < length && book[i + n] == needle[n])
            n++;
        found += n == length;
    }
    return found;
}

static void reverse(char *from, char *to) {
    while (from < --to) {
        char kept = *from;
        *from++ = *to;
        *to = kept;
    }
}

static const word *most_frequent(void) {
    const word *best = NULL;
    for (size_t i = 0; i < BUCKETS; i++)
        for (const word *w = buckets[i]; w != NULL; w = w->next)
            if (best == NULL || w->count > best->count ||
                (w->count == best->count && compare(w->text, best->text) < 0))
                best = w;
    return best;
}

int program(void) {
    write_book();
    count_words();
    const word *best = most_frequent();
    print(best->text);
    print(" ");
    print_number(best->count);
    print("\nmosi ");
    print_number(occurrences("mosi"));
    print("\n");
    reverse(book, book + book_length);
    print("isom ");
    print_number(occurrences("isom"));
    print("\n");
    platform_write(book, 60);
    print("\n");
    return 7;
}
