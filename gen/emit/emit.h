/*
 * The emitters, in the order an access runs through them:
 *
 *     stale.c     is this the layout the code was made for?    (only if asked for)
 *     check.c     the plan's comparison, and its mask
 *     access.c    the load or store itself
 *     paged.c     the load or store that the MMU checks
 *     guarded.c   check and access with their blocks
 *     fault.c     the cold call that records the fault
 *     accessor.c  one function: the above with blocks, phis and signature
 *     set.c       all accessors of a layout, and the table that holds them
 *
 * check.c never asks whether a check is needed, only how the planned one is written.
 */
#ifndef MEMFOLD_GEN_EMIT_EMIT_H
#define MEMFOLD_GEN_EMIT_EMIT_H

#include "ir/ir.h"

#include "plan/set.h"

/* One access that is being emitted. */
typedef struct emit_site {
    const mf_plan *plan;
    const mf_accessor_info *info;
    const mf_accessor_options *options;
    LLVMValueRef v_view;
    LLVMValueRef v_base;    /* host address of guest address 0; NULL for a constant base */
    LLVMValueRef v_address; /* i32, the guest address; NULL for 33-bit indices */
    LLVMValueRef v_index;   /* i64, the guest index, never reduced */
    LLVMValueRef v_table;   /* the plan's constant data; NULL if it has none */
    LLVMValueRef v_access;  /* i64, what the fault calls are told of the access; NULL: the accessor's width */
} emit_site;

/* v_left <predicate> v_right */
typedef struct emit_comparison {
    LLVMIntPredicate predicate;
    LLVMValueRef v_left;
    LLVMValueRef v_right;
} emit_comparison;

#define EMIT_COMPARISONS_MAX 4

/* What was compared on the way to the access; all of it holds there. */
typedef struct emit_check {
    unsigned count;
    emit_comparison comparisons[EMIT_COMPARISONS_MAX];
} emit_check;

/*
 * True if the check reads the 32-bit address alone. Then the index is best widened after it, in the block
 * that needs it: the comparison does not have to keep a copy of the address.
 */
bool emit_check_is_narrow(const emit_site *site);

/*
 * Emits the plan's check, which is one of those that compare, with its branches: to `b_access`, where the
 * builder is left, or to `b_fault`.
 */
emit_check emit_check_branch(const ir *ir, const emit_site *site, LLVMBasicBlockRef b_access,
                             LLVMBasicBlockRef b_fault);

/*
 * Emits the index again, but the start of the plan's first window (0 if it has none) if the check fails: by
 * data flow that no branch can replace, so that it also holds for a mispredicted one.
 */
LLVMValueRef emit_check_mask(const ir *ir, const emit_site *site, const emit_check *check);

/*
 * Emits the read of the base, if it comes from the view. Before the check, and kept there by a use on the
 * fault path: so a loop's first iteration is sure to read it, and LLVM may move it out of the loop.
 */
LLVMValueRef emit_access_base(const ir *ir, const emit_site *site);

/* A base of 0 is legal, so in a function that is given its base the null pointer is an address like any
 * other. */
void emit_null_is_valid(const ir *ir, LLVMValueRef function, const mf_accessor_options *options);

/* The bits at the site as the i64 that a load delivers, and the low bits of an i64 as a store leaves them
 * there. */
LLVMValueRef emit_access_extend(const ir *ir, const emit_site *site, LLVMValueRef v_raw);
LLVMValueRef emit_access_narrow(const ir *ir, const emit_site *site, LLVMValueRef v_value);

/* Emits the host address of the site. */
LLVMValueRef emit_access_host(const ir *ir, const emit_site *site);

/* Emits the load at the site, extended to i64. */
LLVMValueRef emit_access_load(const ir *ir, const emit_site *site);

/* Emits the store of the low bytes of the i64 `v_value`. */
void emit_access_store(const ir *ir, const emit_site *site, LLVMValueRef v_value);

/*
 * Emits the access whose check is the MMU's: one instruction that LLVM can neither drop nor move across other
 * effects. With a fault block (on_fault = return) it has an entry in the exception table and the builder is
 * left in a new block, where the access has happened. Without one (NULL; on_fault = trap) the fault handler
 * finds the guard frame.
 */
LLVMValueRef emit_paged_load(const ir *ir, const emit_site *site, LLVMBasicBlockRef b_fault);
void emit_paged_store(const ir *ir, const emit_site *site, LLVMValueRef v_value, LLVMBasicBlockRef b_fault);

/* True if the access has a fault edge in the code; traps on paged leave through the fault handler instead. */
bool emit_guarded_has_fault_edge(const emit_site *site);

/*
 * Emits check and access where the builder stands, and leaves it on the good path. A fault goes to `b_fault`,
 * an empty block (NULL if there is no fault edge). A store takes the i64 `v_value`; a load returns an i64.
 */
LLVMValueRef emit_guarded(const ir *ir, emit_site *site, LLVMValueRef v_value, LLVMBasicBlockRef b_fault);

/* Puts the builder at the end of the fault block, with the site's index at hand. */
void emit_guarded_enter_fault(const ir *ir, emit_site *site, LLVMBasicBlockRef b_fault);

/* Emits the call that looks at the live permissions of the whole range `v_access`, as one i1. */
LLVMValueRef emit_range_call(const ir *ir, const emit_site *site, LLVMValueRef v_access);

/* Emits the call that records the fault; its result is the i32 status, never 0. */
LLVMValueRef emit_fault_return(const ir *ir, const emit_site *site);

/* Emits the call that leaves through the guard frame, and ends the block. */
void emit_fault_trap(const ir *ir, const emit_site *site);

/*
 * Emits blocks that panic unless the view's layout is the one with `fingerprint`; the builder is left where
 * it is.
 */
void emit_stale_check(const ir *ir, LLVMValueRef function, LLVMValueRef v_view, uint64_t fingerprint);

/* A whole set: what its code is made from. */
typedef struct emit_input {
    const plan_set *plans;
    const mf_accessor_options *options;
    uint64_t fingerprint; /* of the layout, for stale = check */
    const char *prefix;
} emit_input;

/* Constant data on its way into modules of one context. */
typedef struct emit_table {
    LLVMValueRef v_bytes; /* the context's; NULL if there are none */
    char name[40];
} emit_table;

emit_table emit_table_make(const ir *ir, const plan_table *table);

/*
 * Defines the data in the module, private to it, unless it is there: once for all that read the same. NULL if
 * there are no bytes. Where passes have dropped it, it comes back.
 */
LLVMValueRef emit_table_place(const ir *ir, const emit_table *table);

/* Defines accessor `id` of the set as `symbol`; `v_table` is the table of its operation. */
LLVMValueRef emit_accessor(const ir *ir, const emit_input *input, mf_accessor_id id, LLVMValueRef v_table,
                           const char *symbol);

/* How many entries of the exception table the set has. */
size_t emit_entry_count(const emit_input *input);

/*
 * Defines all accessors as <prefix>_<name>, written to `functions` in the order of mf_accessor_id.
 * MF_OUT_OF_MEMORY.
 */
mf_status emit_functions(const ir *ir, const emit_input *input, LLVMValueRef functions[MF_ACCESSOR_COUNT],
                         mf_diag *diag);

/*
 * The same, and <prefix>_accessors, the constant mf_accessors that holds them. If there are entries in the
 * exception table, <prefix>_extable is where they begin. MF_OUT_OF_MEMORY.
 */
mf_status emit_set(const ir *ir, const emit_input *input, mf_diag *diag);

#endif
