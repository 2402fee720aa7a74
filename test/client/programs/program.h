/*
 * What the programs have instead of a C library: three system calls, memory and numbers. Each program is
 * compiled with one of platform_riscv.c, for the client, and platform_native.c, to see what it should print.
 */
#ifndef PROGRAM_H
#define PROGRAM_H

#include <stddef.h>
#include <stdint.h>

/* The program; its result is the exit status. */
int program(void);

void platform_write(const void *bytes, size_t count);

/* `count` zero bytes more, aligned to 16; NULL if there are none. */
void *platform_sbrk(size_t count);

void *memcpy(void *to, const void *from, size_t count);
void *memmove(void *to, const void *from, size_t count);
void *memset(void *to, int byte, size_t count);

static inline size_t text_length(const char *text) {
    size_t length = 0;
    while (text[length] != 0)
        length++;
    return length;
}

static inline void print(const char *text) {
    platform_write(text, text_length(text));
}

static inline void print_number(uint64_t number) {
    char digits[20];
    size_t first = sizeof digits;
    do {
        digits[--first] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    platform_write(digits + first, sizeof digits - first);
}

static inline void print_hex(uint32_t number) {
    char digits[8];
    for (int i = 7; i >= 0; i--, number >>= 4)
        digits[i] = "0123456789abcdef"[number & 15];
    platform_write(digits, sizeof digits);
}

/* splitmix64: every state is fine as a seed. */
static inline uint64_t random_next(uint64_t *state) {
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

#endif
