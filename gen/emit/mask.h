/* What a mispredicted check may touch. */
#ifndef MEMFOLD_GEN_EMIT_MASK_H
#define MEMFOLD_GEN_EMIT_MASK_H

#include "emit/check.h"

/*
 * Emits the index again, but the start of `step`, which is a mask, if one of the comparisons fails: by data
 * flow that no branch can replace, so that it also holds for a mispredicted one.
 */
LLVMValueRef emit_mask(const ir *ir, const emit_site *site, const mf_plan_step *step, const emit_check *check,
                       LLVMValueRef v_index);

#endif
