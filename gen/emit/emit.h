/*
 * The emitters, in the order an access runs through them:
 *
 *     stale.c     is this the layout the code was made for?    (only if asked for)
 *     check.c     the plan's comparison, and its mask
 *     access.c    the load or store itself
 *     fault.c     the cold call that records the fault
 *     accessor.c  one function: the above with blocks, phis and signature
 *     set.c       all accessors of a layout, and the table that holds them
 *
 * check.c never asks whether a check is needed, only how the planned one is written.
 */
#ifndef MEMFOLD_GEN_EMIT_EMIT_H
#define MEMFOLD_GEN_EMIT_EMIT_H

#include "ir/ir.h"

#include <memfold/plan.h>

/* One access that is being emitted. */
typedef struct emit_site {
    const mf_plan *plan;
    const mf_accessor_info *info;
    const mf_accessor_options *options;
    LLVMValueRef v_view;
    LLVMValueRef v_base;    /* host address of guest address 0; NULL for a constant base */
    LLVMValueRef v_address; /* i32, the guest address; NULL for 33-bit indices */
    LLVMValueRef v_index;   /* i64, the guest index, never reduced */
} emit_site;

/* v_left <predicate> v_right, of which one holding is enough. */
typedef struct emit_comparison {
    LLVMIntPredicate predicate;
    LLVMValueRef v_left;
    LLVMValueRef v_right;
} emit_comparison;

typedef struct emit_check {
    unsigned count; /* 1 or 2 */
    emit_comparison comparisons[2];
} emit_check;

/*
 * True if the check reads the 32-bit address alone. Then the index is best widened after it, in the block
 * that needs it: the comparison does not have to keep a copy of the address.
 */
bool emit_check_is_narrow(const emit_site *site);

/* Emits the operands of the plan's check, which is neither always-fault nor always-allowed. */
emit_check emit_check_begin(const ir *ir, const emit_site *site);

/* Emits the check as one i1 without branches. */
LLVMValueRef emit_check_holds(const ir *ir, const emit_check *check);

/*
 * Emits the index again, but 0 if the check fails: by data flow that no branch can replace, so that it also
 * holds for a mispredicted one.
 */
LLVMValueRef emit_check_mask(const ir *ir, const emit_check *check, LLVMValueRef v_index);

/*
 * Emits the read of the base, if it comes from the view. Before the check, and kept there by a use on the
 * fault path: so a loop's first iteration is sure to read it, and LLVM may move it out of the loop.
 */
LLVMValueRef emit_access_base(const ir *ir, const emit_site *site);

/* Emits the load at the site, extended to i64. */
LLVMValueRef emit_access_load(const ir *ir, const emit_site *site);

/* Emits the store of the low bytes of the i64 `v_value`. */
void emit_access_store(const ir *ir, const emit_site *site, LLVMValueRef v_value);

/* Emits the call that records the fault; its result is the i32 status, never 0. */
LLVMValueRef emit_fault_return(const ir *ir, const emit_site *site);

/* Emits the call that leaves through the guard frame, and ends the block. */
void emit_fault_trap(const ir *ir, const emit_site *site);

/*
 * Emits blocks that panic unless the view's layout is the one with `fingerprint`; the builder is left where
 * it is.
 */
void emit_stale_check(const ir *ir, LLVMValueRef function, LLVMValueRef v_view, uint64_t fingerprint);

/* Defines the accessor of `plan` as `symbol`. */
LLVMValueRef emit_accessor(const ir *ir, const mf_plan *plan, const mf_accessor_options *options,
                           uint64_t fingerprint, const char *symbol);

/*
 * Defines all accessors of `layout` as <prefix>_<name>, and <prefix>_accessors, the constant mf_accessors
 * that holds them. Statuses as mf_plan_make.
 */
mf_status emit_set(const ir *ir, const mf_layout *layout, const mf_accessor_options *options,
                   const char *prefix, mf_diag *diag);

#endif
