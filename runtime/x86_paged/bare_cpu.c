/* See bare_cpu.h. */
#include "bare_cpu.h"

/* Intel SDM volume 3A, 2.5 and 2.2.1. */
#define CR0_WRITE_PROTECT UINT64_C(0x10000)
#define CR3_ROOT UINT64_C(0x000ffffffffff000)
#define CR4_FIVE_LEVELS UINT64_C(0x1000)
#define CR4_SMAP UINT64_C(0x200000)
#define EFER_REGISTER 0xc0000080u
#define EFER_NO_EXECUTE UINT64_C(0x800)

void mf_cpu_forget_page(uint64_t address) {
    __asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
}

uint64_t mf_cpu_root(void) {
    uint64_t cr3;
    __asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
    return cr3 & CR3_ROOT;
}

uint16_t mf_cpu_code_selector(void) {
    uint16_t selector;
    __asm__("mov %%cs, %0" : "=r"(selector));
    return selector;
}

uint16_t mf_cpu_stack_selector(void) {
    uint16_t selector;
    __asm__ volatile("mov %%ss, %0" : "=r"(selector));
    return selector;
}

bool mf_cpu_protects_writes(void) {
    uint64_t cr0;
    __asm__ volatile("mov %%cr0, %0" : "=r"(cr0));
    return (cr0 & CR0_WRITE_PROTECT) != 0;
}

bool mf_cpu_knows_no_execute(void) {
    uint32_t low;
    uint32_t high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(EFER_REGISTER));
    return (low & EFER_NO_EXECUTE) != 0;
}

static uint64_t read_cr4(void) {
    uint64_t cr4;
    __asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
    return cr4;
}

bool mf_cpu_has_four_levels(void) {
    return (read_cr4() & CR4_FIVE_LEVELS) == 0;
}

bool mf_cpu_forbids_user_data(void) {
    return (read_cr4() & CR4_SMAP) != 0;
}

void mf_cpu_pause(void) {
    __asm__ volatile("pause");
}
