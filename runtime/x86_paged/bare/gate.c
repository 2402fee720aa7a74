/* The gate of the IDT that leads to the entry in trap.S. */
#include <memfold/bare.h>

/* Present, ring 0, 64-bit interrupt gate (Intel SDM volume 3A, 6.14.1 and table 3-2). */
#define GATE_PRESENT_INTERRUPT 0x8e

mf_bare_gate mf_bare_page_fault_gate(uint16_t code_selector, uint8_t stack) {
    uint64_t entry = (uint64_t)(uintptr_t)mf_bare_page_fault_entry;
    return (mf_bare_gate){
        .offset_low = (uint16_t)entry,
        .selector = code_selector,
        .stack = stack,
        .type = GATE_PRESENT_INTERRUPT,
        .offset_middle = (uint16_t)(entry >> 16),
        .offset_high = (uint32_t)(entry >> 32),
    };
}
