/*
 * The entry of a page fault. It uses no red zone and no vector register, and is position-independent.
 */

#define FLAG_AC 0x40000

        .text

/*
 * The CPU has aligned the stack and pushed six words (Intel SDM volume 3A, 6.14.2); with the fifteen here
 * they are an mf_bare_registers. AC is cleared by popfq, because CPUs without SMAP have no clac.
 */
        .globl  mf_bare_page_fault_entry
        .type   mf_bare_page_fault_entry, @function
mf_bare_page_fault_entry:
        pushq   %rax
        pushq   %rcx
        pushq   %rdx
        pushq   %rbx
        pushq   %rbp
        pushq   %rsi
        pushq   %rdi
        pushq   %r8
        pushq   %r9
        pushq   %r10
        pushq   %r11
        pushq   %r12
        pushq   %r13
        pushq   %r14
        pushq   %r15
        movq    %rsp, %rdi
        movq    %cr2, %rsi
        pushfq
        andq    $~FLAG_AC, (%rsp)
        popfq
        cld
        subq    $8, %rsp
        call    bare_page_fault
        addq    $8, %rsp
        popq    %r15
        popq    %r14
        popq    %r13
        popq    %r12
        popq    %r11
        popq    %r10
        popq    %r9
        popq    %r8
        popq    %rdi
        popq    %rsi
        popq    %rbp
        popq    %rbx
        popq    %rdx
        popq    %rcx
        popq    %rax
        addq    $8, %rsp
        iretq
        .size   mf_bare_page_fault_entry, . - mf_bare_page_fault_entry

        .section .note.GNU-stack, "", @progbits
