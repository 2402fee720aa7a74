#include "emit/number.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* ---- Ranges ---- */

/*
 * What is computed in 32 bits is exact modulo 2^32. Of the 64-bit numbers some are small for every plan; a
 * table's space ends at most 64 bytes below 2^32; the others are the two sizes of a stencil.
 */
static plan_range range_of(const ir *ir, const emit_site *site, LLVMTypeRef t_number,
                           const mf_plan_step *step, plan_number number) {
    switch (number) {
    case PLAN_NUMBER_GRANULE_LOG2:
    case PLAN_NUMBER_WORD_LOG2:
        return PLAN_RANGE_SHIFT;
    case PLAN_NUMBER_BITS:
    case PLAN_NUMBER_LIMIT:
        return PLAN_RANGE_WIDE;
    case PLAN_NUMBER_GRANULE_LOW:
    case PLAN_NUMBER_LAST_GRANULE:
    case PLAN_NUMBER_LAST_WORD:
    case PLAN_NUMBER_WIDTH_MORE:
        return t_number == ir->t_i32 ? PLAN_RANGE_NARROW : PLAN_RANGE_SIGNED_32;
    default:
        break;
    }
    if (t_number == ir->t_i32)
        return PLAN_RANGE_NARROW;
    if (step != NULL && (step->kind == MF_STEP_SAME_LAYOUT || step->kind == MF_STEP_IN_SPACE))
        return PLAN_RANGE_WIDE;
    if (step != NULL && step->kind == MF_STEP_IN_GRANULE)
        return PLAN_RANGE_SIGNED_32;
    return site->holes->wide ? PLAN_RANGE_WIDE : PLAN_RANGE_SIGNED_32;
}

/* ---- Holes ---- */

/* LLVM's range of an absolute symbol: [first, last], or all values. */
static void set_range(const ir *ir, LLVMValueRef v_hole, uint64_t first, uint64_t end) {
    LLVMMetadataRef bounds[] = {LLVMValueAsMetadata(ir_const(ir->t_i64, first)),
                                LLVMValueAsMetadata(ir_const(ir->t_i64, end))};
    unsigned kind = LLVMGetMDKindIDInContext(ir->context, "absolute_symbol", strlen("absolute_symbol"));
    LLVMGlobalSetMetadata(v_hole, kind, LLVMMDNodeInContext2(ir->context, bounds, 2));
}

static LLVMValueRef hole_symbol(const ir *ir, const emit_site *site, plan_range range,
                                const mf_plan_step *step, plan_number number) {
    char name[64];
    unsigned place = step == NULL ? 0 : (unsigned)(step - site->plan->steps);
    snprintf(name, sizeof name, EMIT_HOLE_PREFIX "%s_%u_%s", plan_range_name(range), place,
             plan_number_name(number));
    LLVMValueRef v_hole = LLVMGetNamedGlobal(ir->module, name);
    if (v_hole != NULL)
        return v_hole;
    v_hole = LLVMAddGlobal(ir->module, ir->t_i8, name);
    LLVMSetVisibility(v_hole, LLVMHiddenVisibility);
    if (range == PLAN_RANGE_SIGNED_32)
        set_range(ir, v_hole, (uint64_t)INT32_MIN, (uint64_t)INT32_MAX + 1);
    else if (range == PLAN_RANGE_NARROW)
        set_range(ir, v_hole, 0, UINT64_C(1) << 32);
    return v_hole;
}

/* LLVM takes 64-bit symbols of the small code model for small ones in addresses; so they are assembly. */
static LLVMValueRef build_wide(const ir *ir, LLVMValueRef v_hole) {
    LLVMTypeRef t_hole = ir->t_ptr;
    LLVMTypeRef t_function = LLVMFunctionType(ir->t_i64, &t_hole, 1, false);
    static const char TEXT[] = "movabsq $1, $0";
    static const char CONSTRAINTS[] = "=r,i";
    LLVMValueRef f_move = LLVMGetInlineAsm(t_function, TEXT, strlen(TEXT), CONSTRAINTS, strlen(CONSTRAINTS),
                                           false, false, LLVMInlineAsmDialectATT, false);
    return LLVMBuildCall2(ir->builder, t_function, f_move, &v_hole, 1, "");
}

/* LLVM knows no immediate shift by a symbol. */
static LLVMValueRef build_shift(const ir *ir, LLVMValueRef v_left, LLVMValueRef v_hole) {
    LLVMTypeRef t_left = LLVMTypeOf(v_left);
    LLVMTypeRef parameters[] = {t_left, ir->t_ptr};
    LLVMTypeRef t_function = LLVMFunctionType(t_left, parameters, 2, false);
    const char *text = t_left == ir->t_i64 ? "shrq $2, $0" : "shrl $2, $0";
    static const char CONSTRAINTS[] = "=r,0,i,~{flags}";
    LLVMValueRef f_shift = LLVMGetInlineAsm(t_function, text, strlen(text), CONSTRAINTS, strlen(CONSTRAINTS),
                                            false, false, LLVMInlineAsmDialectATT, false);
    LLVMValueRef arguments[] = {v_left, v_hole};
    return LLVMBuildCall2(ir->builder, t_function, f_shift, arguments, 2, "");
}

static LLVMValueRef build_hole(const ir *ir, const emit_site *site, LLVMTypeRef t_number,
                               const mf_plan_step *step, plan_number number) {
    plan_range range = range_of(ir, site, t_number, step, number);
    LLVMValueRef v_hole = hole_symbol(ir, site, range, step, number);
    assert(range != PLAN_RANGE_SHIFT);
    return range == PLAN_RANGE_WIDE ? build_wide(ir, v_hole) : LLVMConstPtrToInt(v_hole, t_number);
}

/* ---- Numbers ---- */

LLVMValueRef emit_number(const ir *ir, const emit_site *site, LLVMTypeRef t_number, const mf_plan_step *step,
                         plan_number number) {
    if (site->holes != NULL)
        return build_hole(ir, site, t_number, step, number);
    return ir_const(t_number, plan_number_get(site->plan, step, site->options, number));
}

LLVMValueRef emit_minus_start(const ir *ir, const emit_site *site, const mf_plan_step *step,
                              LLVMValueRef v_left) {
    LLVMTypeRef t_left = LLVMTypeOf(v_left);
    if (site->holes == NULL)
        return LLVMBuildSub(ir->builder, v_left, ir_const(t_left, step->start), "offset");
    LLVMValueRef v_minus = build_hole(ir, site, t_left, step, PLAN_NUMBER_MINUS_START);
    return LLVMBuildAdd(ir->builder, v_left, v_minus, "offset");
}

LLVMValueRef emit_minus_last(const ir *ir, const emit_site *site, const mf_plan_step *step,
                             LLVMValueRef v_left) {
    LLVMTypeRef t_left = LLVMTypeOf(v_left);
    if (site->holes == NULL)
        return LLVMBuildNUWSub(ir->builder, v_left, ir_const(t_left, step->last), "span");
    LLVMValueRef v_minus = build_hole(ir, site, t_left, step, PLAN_NUMBER_MINUS_LAST);
    return LLVMBuildAdd(ir->builder, v_left, v_minus, "span");
}

LLVMValueRef emit_shift_right(const ir *ir, const emit_site *site, const mf_plan_step *step,
                              plan_number number, LLVMValueRef v_left) {
    if (site->holes != NULL)
        return build_shift(ir, v_left, hole_symbol(ir, site, PLAN_RANGE_SHIFT, step, number));
    uint64_t log2 = plan_number_get(site->plan, step, site->options, number);
    return LLVMBuildLShr(ir->builder, v_left, ir_const(LLVMTypeOf(v_left), log2), "number");
}
