/*
 * setjmp and longjmp for guard frames, as os.h wants them: os_call saves the callee-saved registers and the
 * flags on the stack and calls, os_leave goes back to that stack.
 */

        .text

/* bool os_call(void **place, void (*body)(void *argument), void *argument) */
        .globl  os_call
        .hidden os_call
        .type   os_call, @function
os_call:
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
        .size   os_call, . - os_call

/*
 * void os_leave(void *place). The flags come back behind the stack: interrupts, which are off since the fault,
 * are on again only when the stack is that of os_call.
 */
        .globl  os_leave
        .hidden os_leave
        .type   os_leave, @function
os_leave:
        movq    %rdi, %rsp
        xorl    %eax, %eax
        popfq
        jmp     .Lreturn
        .size   os_leave, . - os_leave

        .section .note.GNU-stack, "", @progbits
