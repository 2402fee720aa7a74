/* The load or store that the MMU checks. */
#ifndef MEMFOLD_GEN_EMIT_PAGED_H
#define MEMFOLD_GEN_EMIT_PAGED_H

#include "emit/site.h"

/*
 * Emits the access, one instruction that LLVM can neither drop nor move across other effects. With a fault
 * block (on_fault = return) it has an entry in the exception table and the builder is left in a new block,
 * where the access has happened. Without one (NULL; on_fault = trap) the fault handler finds the guard frame.
 * A load returns an i64, a store of the i64 `v_value` returns NULL.
 */
LLVMValueRef emit_access_paged(const ir *ir, const emit_site *site, LLVMValueRef v_base, LLVMValueRef v_index,
                               LLVMValueRef v_value, LLVMBasicBlockRef b_fault);

#endif
