/* See bare_cpu.h. */
#include "bare_cpu.h"

void mf_cpu_forget_page(uint64_t address) {
    __asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
}
