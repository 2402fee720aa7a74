/*
 * The entry of a page fault, and leaving a call: what C cannot say. No red zone, no vector register, and
 * nothing that depends on where the code lies.
 */

#define FLAG_ALIGNMENT_CHECK 0x40000

        .text

/*
 * The CPU has aligned the stack and pushed six words (Intel SDM volume 3A, 6.14.2); with the fifteen here
 * they are an mf_bare_registers. AC is cleared by popfq, because clac is no instruction before SMAP.
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
        andq    $~FLAG_ALIGNMENT_CHECK, (%rsp)
        popfq
        cld
        subq    $8, %rsp
        call    mf_bare_page_fault
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

/* bool mf_os_call(void **place, void (*body)(void *argument), void *argument) */
        .globl  mf_os_call
        .hidden mf_os_call
        .type   mf_os_call, @function
mf_os_call:
        pushq   %rbp
        pushq   %rbx
        pushq   %r12
        pushq   %r13
        pushq   %r14
        pushq   %r15
        pushfq
        movq    %rsp, (%rdi)
        movq    %rdx, %rdi
        call    *%rsi
        movl    $1, %eax
        addq    $8, %rsp
.Lreturn:
        popq    %r15
        popq    %r14
        popq    %r13
        popq    %r12
        popq    %rbx
        popq    %rbp
        ret
        .size   mf_os_call, . - mf_os_call

/* void mf_os_leave(void *place): interrupts are on again only when the stack is, by popfq. */
        .globl  mf_os_leave
        .hidden mf_os_leave
        .type   mf_os_leave, @function
mf_os_leave:
        movq    %rdi, %rsp
        xorl    %eax, %eax
        popfq
        jmp     .Lreturn
        .size   mf_os_leave, . - mf_os_leave

        .section .note.GNU-stack, "", @progbits
