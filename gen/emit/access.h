/* The load or store itself: at base + index, whatever was checked before. */
#ifndef MEMFOLD_GEN_EMIT_ACCESS_H
#define MEMFOLD_GEN_EMIT_ACCESS_H

#include "emit/site.h"

/*
 * Emits the read of the base if it comes from the view; otherwise it is the site's. Before the check, and
 * kept there by a use on the fault path: so a loop's first iteration is sure to read it, and LLVM may move it
 * out of the loop.
 */
LLVMValueRef emit_access_base(const ir *ir, const emit_site *site);

/* A base of 0 is legal, so in a function that is given its base the null pointer is an address like any
 * other. */
void emit_null_is_valid(const ir *ir, LLVMValueRef f, const mf_accessor_options *options);

/* Emits the host address of an index. `v_base` is not looked at where the base is a constant. */
LLVMValueRef emit_access_host(const ir *ir, const emit_site *site, LLVMValueRef v_base, LLVMValueRef v_index);

/* The bits in memory as the value that a load delivers, and a value's as a store leaves them there. */
LLVMValueRef emit_access_extend(const ir *ir, const emit_site *site, LLVMValueRef v_raw);
LLVMValueRef emit_access_narrow(const ir *ir, const emit_site *site, LLVMValueRef v_value);

/* Emits the load, or the store of `v_value`; that returns NULL. */
LLVMValueRef emit_access_plain(const ir *ir, const emit_site *site, LLVMValueRef v_host,
                               LLVMValueRef v_value);

#endif
