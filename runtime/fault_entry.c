/*
 * The entry of faults that accessors return (abi.h): on x86-64 it keeps the general registers that a C
 * function may change, so that generated code has none to save. Assembly in a C file, because the compiler
 * then marks the object as it marks all others (CET, stack), and no build needs an assembler of its own.
 */
#include "entry_points.h"

#if defined(__x86_64__)

/*
 * rbx, rbp and r12 to r15 are kept by entry_fault itself; rax is the result, and r11 may change. The return
 * address and the seven registers are 64 bytes, so the stack is aligned to 16 for the call as it was for this
 * one. Callers come through a pointer in the GOT, which is why the entry begins with endbr64.
 */
#define SAVE(name) "pushq %" name "\n.cfi_adjust_cfa_offset 8\n.cfi_rel_offset " name ", 0\n"
#define RESTORE(name) "popq %" name "\n.cfi_adjust_cfa_offset -8\n.cfi_restore " name "\n"
#define SAVE_ALL SAVE("rcx") SAVE("rdx") SAVE("rsi") SAVE("rdi") SAVE("r8") SAVE("r9") SAVE("r10")
#define RESTORE_ALL                                                                                          \
    RESTORE("r10") RESTORE("r9") RESTORE("r8") RESTORE("rdi") RESTORE("rsi") RESTORE("rdx") RESTORE("rcx")

__asm__(".pushsection .text.mf_rt_fault_v3, \"ax\", @progbits\n"
        ".balign 16\n"
        ".globl mf_rt_fault_v3\n"
        ".type mf_rt_fault_v3, @function\n"
        "mf_rt_fault_v3:\n"
        ".cfi_startproc\n"
        "endbr64\n" SAVE_ALL "call entry_fault\n" RESTORE_ALL "ret\n"
        ".cfi_endproc\n"
        ".size mf_rt_fault_v3, . - mf_rt_fault_v3\n"
        ".popsection\n");

#else

/* Generated code calls it as any C function. */
uint32_t mf_rt_fault_v3(mf_view *view, uint64_t index, uint64_t access, uint64_t limit) {
    return entry_fault(view, index, access, limit);
}

#endif
