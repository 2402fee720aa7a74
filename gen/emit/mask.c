#include "emit/mask.h"

#include "emit/number.h"

/*
 * The comparison once more, on an operand that LLVM cannot recognise, so that it cannot fold it into the
 * branch. Of a bit it knows behind the branch that it is 1, and would hand in that; so what is handed in is
 * what it is a bit of.
 */
static LLVMValueRef comparison_holds_laundered(const ir *ir, const emit_comparison *comparison) {
    LLVMTypeRef t_left = LLVMTypeOf(comparison->v_left);
    emit_comparison again = *comparison;
    if (t_left == ir->t_i8) {
        again.v_left = LLVMBuildZExt(ir->builder, again.v_left, ir->t_i32, "wide");
        again.v_right = LLVMBuildZExt(ir->builder, again.v_right, ir->t_i32, "wide");
    }
    bool is_bit = again.v_whole != NULL;
    LLVMValueRef v_opaque = ir_launder(ir, is_bit ? again.v_whole : again.v_left, "opaque");
    again.v_left = v_opaque;
    if (is_bit)
        again.v_left = LLVMBuildAnd(ir->builder, v_opaque, ir_const(t_left, 1), "opaque.bit");
    return emit_comparison_holds(ir, &again);
}

LLVMValueRef emit_mask(const ir *ir, const emit_site *site, const mf_plan_step *step, const emit_check *check,
                       LLVMValueRef v_index) {
    LLVMValueRef v_ok = comparison_holds_laundered(ir, &check->comparisons[0]);
    for (unsigned i = 1; i < check->count; i++) {
        LLVMValueRef v_next = comparison_holds_laundered(ir, &check->comparisons[i]);
        v_ok = LLVMBuildAnd(ir->builder, v_ok, v_next, "ok");
    }
    /* All ones or zero; laundered, or LLVM would make the and a select, and that perhaps a branch. */
    LLVMValueRef v_mask = LLVMBuildSExt(ir->builder, v_ok, ir->t_i64, "mask");
    LLVMValueRef v_opaque_mask = ir_launder(ir, v_mask, "mask.opaque");
    if (site->holes != NULL && step->start == 0)
        return LLVMBuildAnd(ir->builder, v_index, v_opaque_mask, "index.masked");
    LLVMValueRef v_offset = emit_minus_start(ir, site, step, v_index);
    LLVMValueRef v_masked = LLVMBuildAnd(ir->builder, v_offset, v_opaque_mask, "offset.masked");
    LLVMValueRef v_start = emit_number(ir, site, ir->t_i64, step, PLAN_NUMBER_START);
    return LLVMBuildAdd(ir->builder, v_masked, v_start, "index.masked");
}
