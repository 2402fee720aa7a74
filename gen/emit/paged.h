/* The load or store that the MMU checks. */
#ifndef MEMFOLD_GEN_EMIT_PAGED_H
#define MEMFOLD_GEN_EMIT_PAGED_H

#include "emit/site.h"

/* A mark in the assembly of a module whose exception table is defined, or registered object by object. */
#define EMIT_TABLE_MARK ".Lmf_exception_table"

/* One instruction makes the access; others are checked before it in software. */
bool emit_paged_is_one_access(const ir *ir, const emit_site *site, bool has_avx512);

/*
 * Emits the access, one instruction that LLVM neither drops nor doubles. With a fault block (on_fault =
 * return or branch) it has an entry in the exception table and the builder is left in a new block, where the
 * access has happened. Without one (NULL; on_fault = trap) the fault handler finds the guard frame. A load
 * returns its value, a store of `v_value` returns NULL.
 */
LLVMValueRef emit_access_paged(const ir *ir, const emit_site *site, LLVMValueRef v_base, LLVMValueRef v_index,
                               LLVMValueRef v_value, LLVMBasicBlockRef b_fault);

#endif
