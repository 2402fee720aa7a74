/* The panic hook, and the one message shape that panics need, built without a formatter. */
#include <memfold/panic.h>

#include "os.h"
#include "panic_impl.h"

#include <stdatomic.h>

typedef struct line {
    char text[201];
    size_t length;
} line;

static void append_char(line *line, char c) {
    if (line->length + 1 < sizeof line->text)
        line->text[line->length++] = c;
}

static void append_text(line *line, const char *text) {
    for (; *text != '\0'; text++)
        append_char(line, *text);
}

static void append_hex(line *line, uint64_t value) {
    int shift = 60;
    while (shift > 0 && value >> shift == 0)
        shift -= 4;
    append_text(line, "0x");
    for (; shift >= 0; shift -= 4)
        append_char(line, "0123456789abcdef"[value >> shift & 15]);
}

static void print_to_host(const char *message) {
    os_print("memfold: ");
    os_print(message);
    os_print("\n");
}

static _Atomic(mf_panic_hook *) installed_hook = print_to_host;

mf_panic_hook *mf_panic_hook_set(mf_panic_hook *hook) {
    return atomic_exchange(&installed_hook, hook != NULL ? hook : print_to_host);
}

void panic_values(const char *before, uint64_t a, const char *between, uint64_t b, const char *after) {
    line message = {0};
    append_text(&message, before);
    append_hex(&message, a);
    append_text(&message, between);
    append_hex(&message, b);
    append_text(&message, after);
    mf_panic_hook *hook = atomic_load(&installed_hook);
    hook(message.text);
    os_abort();
}
