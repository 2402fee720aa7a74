/*
 * Multiplication and division where RISC-V and C differ, by the instructions themselves. Riscv only: the
 * values are those of the manual (volume I, chapter M).
 */
#include "program.h"

/* The operands are in registers of which the translator knows nothing, or constants of which it knows all. */
#define SHOW(instruction, left, right)                                                                       \
    do {                                                                                                     \
        uint32_t a = (left), b = (right), unknown, known;                                                    \
        __asm__ volatile(#instruction " %0, %1, %2" : "=r"(unknown) : "r"(hide(a)), "r"(hide(b)));           \
        __asm__ volatile("li %0, %1\n\tli t0, %2\n\t" #instruction " %0, %0, t0"                             \
                         : "=&r"(known)                                                                      \
                         : "i"(left), "i"(right)                                                             \
                         : "t0");                                                                            \
        show(#instruction, a, b, unknown, known);                                                            \
    } while (0)

static uint32_t hide(uint32_t value) {
    static volatile uint32_t hidden;
    hidden = value;
    return hidden;
}

static void show(const char *name, uint32_t a, uint32_t b, uint32_t unknown, uint32_t known) {
    print(name);
    print(" ");
    print_hex(a);
    print(" ");
    print_hex(b);
    print(" = ");
    print_hex(unknown);
    print(unknown == known ? "\n" : " but not for constants\n");
}

#define LEAST (-0x7fffffff - 1)

int program(void) {
    SHOW(div, 7, 0);
    SHOW(divu, 7, 0);
    SHOW(rem, 7, 0);
    SHOW(remu, 7, 0);
    SHOW(rem, -7, 0);
    SHOW(div, LEAST, -1);
    SHOW(rem, LEAST, -1);
    SHOW(divu, LEAST, -1);
    SHOW(remu, LEAST, -1);
    SHOW(div, LEAST, 0);
    SHOW(rem, LEAST, 0);
    SHOW(div, -7, 2);
    SHOW(rem, -7, 2);
    SHOW(div, 7, -2);
    SHOW(rem, 7, -2);
    SHOW(mul, LEAST, -1);
    SHOW(mulh, LEAST, LEAST);
    SHOW(mulh, LEAST, -1);
    SHOW(mulhu, -1, -1);
    SHOW(mulhu, LEAST, 2);
    SHOW(mulhsu, -1, -1);
    SHOW(mulhsu, LEAST, -1);
    SHOW(mulhsu, 1, -1);
    return 0;
}
