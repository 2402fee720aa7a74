/* The cold path: calls into the runtime, which classifies and records the fault. */
#ifndef MEMFOLD_GEN_EMIT_COLD_H
#define MEMFOLD_GEN_EMIT_COLD_H

#include "emit/site.h"

/* What the calls are told that is not the site's. */
typedef struct emit_cold {
    LLVMValueRef v_index;
    LLVMValueRef v_kept[2]; /* values that must have been computed before the check; NULL: none */
} emit_cold;

/* Emits the call that records the fault; its result is the i32 status, never 0. */
LLVMValueRef emit_cold_return(const ir *ir, const emit_site *site, const emit_cold *cold);

/* Emits the call that leaves through the guard frame, and ends the block. */
void emit_cold_trap(const ir *ir, const emit_site *site, const emit_cold *cold);

/* Emits the call that looks at the live permissions of the whole range `v_access`, as one i1. */
LLVMValueRef emit_range_call(const ir *ir, LLVMValueRef v_view, LLVMValueRef v_index, LLVMValueRef v_access);

/*
 * Emits blocks that panic unless the view's stamp is that of `step`, or does not refuse its backend; the
 * builder is left where it is.
 */
void emit_same_stamp(const ir *ir, const emit_site *site, const mf_plan_step *step);

#endif
