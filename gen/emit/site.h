/*
 * The place of one access: what its code is made from. Nothing changes it while code is emitted; what comes
 * up on the way, such as a widened index, is handed on as a value.
 */
#ifndef MEMFOLD_GEN_EMIT_SITE_H
#define MEMFOLD_GEN_EMIT_SITE_H

#include "ir/ir.h"

#include <memfold/plan.h>

struct emit_holes;

typedef struct emit_site {
    const mf_plan *plan;
    const mf_accessor_options *options;
    LLVMTypeRef t_raw;   /* of the bits in memory: the integer of the width, or another type of that size */
    bool sign_extends;   /* of a load of a word: the value repeats its top bit upwards */
    bool has_avx;        /* of the target: vector registers are written by AVX instructions */
    bool asks_for_table; /* the module is a client's, who must not forget its exception table */
    const struct emit_holes *holes; /* the plan's numbers are holes (number.h); NULL: constants */
    LLVMValueRef v_view;
    LLVMValueRef v_base; /* host address of guest address 0; NULL: it is a constant or read from the view */
    LLVMValueRef v_heap_end; /* i64, the live heap end; NULL: it is read from the view */
    LLVMValueRef v_room; /* i64, made from it before the check (check.h); NULL: it is made where it is used */
    LLVMValueRef v_address; /* i32, the guest address; NULL for 33-bit indices */
    LLVMValueRef v_index;   /* i64, the guest index, never reduced; NULL if there is a v_address */
    LLVMValueRef v_table;   /* the plan's constant data; NULL if it has none */
    LLVMValueRef v_access;  /* i64, what the fault calls are told of the access; NULL: the plan's width */
} emit_site;

/*
 * The raw type is an integer of 1, 2, 4 or 8 bytes: values of it travel as i64, loads extended to it. Values
 * of other types travel as they are.
 */
bool emit_site_is_word(const ir *ir, const emit_site *site);

/* Emits the 64-bit index where the builder stands: the only place that widens an address. */
LLVMValueRef emit_index(const ir *ir, const emit_site *site);

#endif
