/* The start of a program, its system calls, and what the compiler calls where rv32im has no instruction. */
#include "program.h"

enum { CALL_WRITE = 64, CALL_EXIT = 93, CALL_SBRK = 1024 };

static long call(long number, long a, long b, long c) {
    register long a0 __asm__("a0") = a;
    register long a1 __asm__("a1") = b;
    register long a2 __asm__("a2") = c;
    register long a7 __asm__("a7") = number;
    __asm__ volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a7) : "memory");
    return a0;
}

void platform_write(const void *bytes, size_t count) {
    call(CALL_WRITE, 1, (long)bytes, (long)count);
}

void *platform_sbrk(size_t count) {
    long old_top = call(CALL_SBRK, (long)((count + 15) & ~(size_t)15), 0, 0);
    return old_top < 0 && old_top > -4096 ? NULL : (void *)old_top;
}

void _start(void);
void _start(void) {
    call(CALL_EXIT, program(), 0, 0);
}

/* ---- Memory. The loops must not become calls of themselves. ---- */

#define NO_BUILTIN __attribute__((no_builtin))

NO_BUILTIN void *memcpy(void *to, const void *from, size_t count) {
    for (size_t i = 0; i < count; i++)
        ((char *)to)[i] = ((const char *)from)[i];
    return to;
}

NO_BUILTIN void *memmove(void *to, const void *from, size_t count) {
    if ((uintptr_t)to < (uintptr_t)from)
        return memcpy(to, from, count);
    for (size_t i = count; i > 0; i--)
        ((char *)to)[i - 1] = ((const char *)from)[i - 1];
    return to;
}

NO_BUILTIN void *memset(void *to, int byte, size_t count) {
    for (size_t i = 0; i < count; i++)
        ((char *)to)[i] = (char)byte;
    return to;
}

/* ---- 64-bit division, bit by bit ---- */

uint64_t __udivdi3(uint64_t a, uint64_t b);
uint64_t __umoddi3(uint64_t a, uint64_t b);

static uint64_t divide(uint64_t a, uint64_t b, uint64_t *remainder) {
    uint64_t quotient = 0;
    uint64_t rest = 0;
    for (int bit = 63; bit >= 0; bit--) {
        rest = rest << 1 | (a >> bit & 1);
        if (rest >= b) {
            rest -= b;
            quotient |= UINT64_C(1) << bit;
        }
    }
    *remainder = rest;
    return quotient;
}

uint64_t __udivdi3(uint64_t a, uint64_t b) {
    uint64_t remainder;
    return divide(a, b, &remainder);
}

uint64_t __umoddi3(uint64_t a, uint64_t b) {
    uint64_t remainder;
    divide(a, b, &remainder);
    return remainder;
}
