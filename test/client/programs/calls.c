/* System calls that fail come back with an error; then a jump to where no code is. */
#include "program.h"

static int call(int number, uint32_t a, uint32_t b, uint32_t c) {
    register uint32_t a0 __asm__("a0") = a;
    register uint32_t a1 __asm__("a1") = b;
    register uint32_t a2 __asm__("a2") = c;
    register int a7 __asm__("a7") = number;
    __asm__ volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a7) : "memory");
    return (int)a0;
}

static void show(const char *what, int result) {
    print(what);
    print(result < 0 ? " -" : " ");
    print_number((uint32_t)(result < 0 ? -result : result));
    print("\n");
}

int program(void) {
    static volatile uint32_t code[1];
    show("write from nowhere", call(64, 1, 0x30000000, 4));
    show("write across the top", call(64, 1, 0xFFFFFFFE, 4));
    show("write nothing", call(64, 1, 0x30000000, 0));
    show("write to file 9", call(64, 9, 0, 0));
    show("too much heap", call(1024, 0x7FFFFFFF, 0, 0));
    show("no such call", call(5, 0, 0, 0));
    code[0] = 0x00000073; /* ecall, but code is in read-only pages only */
    ((void (*)(void))(uintptr_t)code)();
    return 0;
}
