#include "cpu.h"

/* Fixed places that assembly reaches without a register. */
__attribute__((visibility("hidden"))) cpu_state cpu_in, cpu_out;
__attribute__((visibility("hidden"))) const void *cpu_code;
__attribute__((visibility("hidden"))) uint64_t cpu_stack;
__attribute__((visibility("hidden"))) uint32_t cpu_left;

void cpu_enter(void);
extern const char cpu_leave_done[], cpu_leave_fault[], cpu_leave_stale[];

#define LOAD(name, offset) "movq cpu_in+" #offset "(%rip), %" #name "\n"
#define STORE(name, offset) "movq %" #name ", cpu_out+" #offset "(%rip)\n"
#define LOW(X) X(rax, 0) X(rcx, 8) X(rdx, 16) X(rbx, 24) X(rbp, 40) X(rsi, 48) X(rdi, 56)
#define HIGH(X) X(r8, 64) X(r9, 72) X(r10, 80) X(r11, 88) X(r12, 96) X(r13, 104) X(r14, 112) X(r15, 120)
#define LOAD_ALL LOW(LOAD) HIGH(LOAD)
#define STORE_ALL LOW(STORE) HIGH(STORE)

#define ENTER                                                                                                \
    ".text\n"                                                                                                \
    "cpu_enter:\n"                                                                                           \
    "pushq %rbx\npushq %rbp\npushq %r12\npushq %r13\npushq %r14\npushq %r15\n"                               \
    "movq %rsp, cpu_stack(%rip)\n"                                                                           \
    "pushq cpu_in+128(%rip)\n"                                                                               \
    "popfq\n" LOAD_ALL "jmpq *cpu_code(%rip)\n"
#define LEAVE(name, number)                                                                                  \
    "cpu_leave_" name ":\n"                                                                                  \
    "movl $" number ", cpu_left(%rip)\n"                                                                     \
    "jmp cpu_leave\n"
#define RETURN                                                                                               \
    "cpu_leave:\n" STORE_ALL "movq %rsp, cpu_out+32(%rip)\n"                                                 \
    "movq cpu_stack(%rip), %rsp\n"                                                                           \
    "pushfq\n"                                                                                               \
    "popq cpu_out+128(%rip)\n"                                                                               \
    "popq %r15\npopq %r14\npopq %r13\npopq %r12\npopq %rbp\npopq %rbx\n"                                     \
    "cld\n"                                                                                                  \
    "ret\n"

__asm__(ENTER LEAVE("done", "0") LEAVE("fault", "1") LEAVE("stale", "2") RETURN);

uintptr_t cpu_exit_address(cpu_exit exit) {
    const char *const addresses[] = {cpu_leave_done, cpu_leave_fault, cpu_leave_stale};
    return (uintptr_t)addresses[exit];
}

cpu_exit cpu_run(const void *code, const cpu_state *before, cpu_state *after) {
    cpu_in = *before;
    cpu_in.flags = (before->flags & CPU_FLAGS) | 0x202; /* interrupts, and the bit that is always set */
    cpu_code = code;
    cpu_enter();
    *after = cpu_out;
    after->registers[CPU_RSP] = cpu_out.registers[CPU_RSP] - cpu_stack;
    after->flags &= CPU_FLAGS;
    return (cpu_exit)cpu_left;
}
