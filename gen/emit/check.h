/* The comparisons of a plan's steps, and the branches between them. */
#ifndef MEMFOLD_GEN_EMIT_CHECK_H
#define MEMFOLD_GEN_EMIT_CHECK_H

#include "emit/site.h"

/* v_left <predicate> v_right. Where v_left is the lowest bit of something, v_whole is that; else NULL. */
typedef struct emit_comparison {
    LLVMIntPredicate predicate;
    LLVMValueRef v_left;
    LLVMValueRef v_right;
    LLVMValueRef v_whole;
} emit_comparison;

/* What was compared on the way to the access; where the plan has a mask all of it holds there. */
typedef struct emit_check {
    unsigned count;
    emit_comparison comparisons[MF_PLAN_STEPS_MAX];
    LLVMBasicBlockRef b_fault_from; /* the last block that leads to the fault block, or NULL */
} emit_check;

/*
 * True if every comparison reads the 32-bit address alone. Then the index is best widened after them, in the
 * block that needs it: the comparison does not have to keep a copy of the address.
 */
bool emit_check_is_narrow(const emit_site *site);

/*
 * Emits what the first step about the heap compares with, which is made from the live heap end. NULL if there
 * is no such step, or an access may be allowed before.
 */
LLVMValueRef emit_check_room(const ir *ir, const emit_site *site);

/*
 * Emits the steps from number `first` on, which compare, with their branches: to an access block, where the
 * builder is left, or to `b_fault`. `v_index` may be NULL if the check is narrow.
 */
emit_check emit_check_steps(const ir *ir, const emit_site *site, uint32_t first, LLVMValueRef v_index,
                            LLVMBasicBlockRef b_fault);

LLVMValueRef emit_comparison_holds(const ir *ir, const emit_comparison *comparison);

#endif
