/* The instructions of cpu.h. */
#include "x86_paged/bare/cpu.h"

/* Intel SDM volume 3A, 2.5 and 2.2.1. */
#define CR0_WP UINT64_C(0x10000)
#define CR3_ROOT UINT64_C(0x000ffffffffff000)
#define CR4_LA57 UINT64_C(0x1000)
#define CR4_SMAP UINT64_C(0x200000)
#define EFER_REGISTER 0xc0000080u
#define EFER_NXE UINT64_C(0x800)

void cpu_invlpg(uint64_t address) {
    __asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
}

uint64_t cpu_cr3(void) {
    uint64_t cr3;
    __asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
    return cr3 & CR3_ROOT;
}

uint16_t cpu_code_selector(void) {
    uint16_t selector;
    __asm__("mov %%cs, %0" : "=r"(selector));
    return selector;
}

uint16_t cpu_stack_selector(void) {
    uint16_t selector;
    __asm__ volatile("mov %%ss, %0" : "=r"(selector));
    return selector;
}

bool cpu_has_wp(void) {
    uint64_t cr0;
    __asm__ volatile("mov %%cr0, %0" : "=r"(cr0));
    return (cr0 & CR0_WP) != 0;
}

bool cpu_has_nxe(void) {
    uint32_t low;
    uint32_t high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(EFER_REGISTER));
    return (low & EFER_NXE) != 0;
}

static uint64_t read_cr4(void) {
    uint64_t cr4;
    __asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
    return cr4;
}

bool cpu_has_la57(void) {
    return (read_cr4() & CR4_LA57) != 0;
}

bool cpu_has_smap(void) {
    return (read_cr4() & CR4_SMAP) != 0;
}

void cpu_pause(void) {
    __asm__ volatile("pause");
}
