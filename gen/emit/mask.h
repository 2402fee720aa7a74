/* What a mispredicted check may touch. */
#ifndef MEMFOLD_GEN_EMIT_MASK_H
#define MEMFOLD_GEN_EMIT_MASK_H

#include "emit/check.h"

/*
 * Emits the index again, but `start` if one of the comparisons fails: by data flow that no branch can
 * replace, so that it also holds for a mispredicted one.
 */
LLVMValueRef emit_mask(const ir *ir, const emit_check *check, LLVMValueRef v_index, uint64_t start);

#endif
