/*
 * The place of one access: what its code is made from. Nothing changes it while code is emitted; what comes
 * up on the way, such as a widened index, is handed on as a value.
 */
#ifndef MEMFOLD_GEN_EMIT_SITE_H
#define MEMFOLD_GEN_EMIT_SITE_H

#include "ir/ir.h"

#include <memfold/plan.h>

typedef struct emit_site {
    const mf_plan *plan;
    const mf_accessor_info *info;
    const mf_accessor_options *options;
    LLVMValueRef v_view;
    LLVMValueRef v_base;    /* host address of guest address 0, for base = argument; otherwise NULL */
    LLVMValueRef v_address; /* i32, the guest address; NULL for 33-bit indices */
    LLVMValueRef v_index;   /* i64, the guest index, never reduced; NULL if there is a v_address */
    LLVMValueRef v_table;   /* the plan's constant data; NULL if it has none */
    LLVMValueRef v_access;  /* i64, what the fault calls are told of the access; NULL: the plan's width */
} emit_site;

/* Emits the 64-bit index where the builder stands: the only place that widens an address. */
LLVMValueRef emit_index(const ir *ir, const emit_site *site);

#endif
