/* A call by machine registers: what stands in them before, and what of them must be as it was after. */
#ifndef MEMFOLD_GEN_VERIFY_SWEEP_CALL_H
#define MEMFOLD_GEN_VERIFY_SWEEP_CALL_H

#include <memfold/accessors.h>

#include <stdint.h>

typedef struct sweep_call {
    mf_accessor_fn *function;
    uint64_t arguments[4]; /* rdi, rsi, rdx, rcx */
    uint64_t value;        /* rax and rdx, as the code has left them */
    uint64_t status;
    uint64_t changed; /* 0: rbx, rbp, r12 to r15 are as they were, and the direction flag is clear */
} sweep_call;

/*
 * Calls the function with marks in the registers that it must keep and others in those that it need not, on
 * an aligned stack, and writes value, status and changed. A function that leaves through a guard frame does
 * not come back here.
 */
void sweep_call_run(sweep_call *call);

#endif
