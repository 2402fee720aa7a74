/* How each check is written. The proofs stand with the plan (plan/make.c). */
#include "emit/emit.h"

#include <assert.h>

/*
 * Check and address come from one 64-bit value, so that a loop carries one induction variable. Only where the
 * constants do not fit a sign-extended 32-bit immediate is the same comparison made modulo 2^32, which is
 * exact for 32-bit addresses and saves a move.
 */
static bool window_is_narrow(const emit_site *site, mf_plan_window window) {
    bool fits = window.start <= INT32_MAX && window.last <= INT32_MAX;
    return site->v_address != NULL && !fits;
}

bool emit_check_is_narrow(const emit_site *site) {
    const mf_plan *plan = site->plan;
    if (plan->check != MF_CHECK_BOUND && plan->check != MF_CHECK_WINDOW &&
        plan->check != MF_CHECK_TWO_WINDOWS)
        return false;
    for (uint32_t i = 0; i < plan->window_count; i++)
        if (!window_is_narrow(site, plan->windows[i]))
            return false;
    return true;
}

/* index - start <= last */
static emit_comparison compare_window(const ir *ir, const emit_site *site, mf_plan_window window) {
    LLVMValueRef v_index = window_is_narrow(site, window) ? site->v_address : site->v_index;
    LLVMTypeRef type = LLVMTypeOf(v_index);
    LLVMValueRef v_start = ir_const(type, window.start);
    LLVMValueRef v_offset =
        window.start == 0 ? v_index : LLVMBuildSub(ir->builder, v_index, v_start, "offset");
    return (emit_comparison){LLVMIntULE, v_offset, ir_const(type, window.last)};
}

/*
 * index - start < max(heap_end - start - (width - 1), 0); the maximum is needed only where the window may be
 * shorter than the access, that is empty.
 */
static emit_comparison compare_growing_window(const ir *ir, const emit_site *site, mf_plan_window window) {
    LLVMValueRef v_start = ir_const(ir->t_i64, window.start);
    LLVMValueRef v_offset = LLVMBuildSub(ir->builder, site->v_index, v_start, "offset");
    LLVMValueRef v_heap_end = ir_load_view_field(ir, site->v_view, IR_VIEW_HEAP_END);
    LLVMValueRef v_needed = ir_const(ir->t_i64, window.start + site->info->width_bytes - 1);
    LLVMValueRef arguments[] = {v_heap_end, v_needed};
    LLVMValueRef v_span = window.fixed_bytes > 0
                              ? LLVMBuildNUWSub(ir->builder, v_heap_end, v_needed, "span")
                              : ir_call_intrinsic(ir, "llvm.usub.sat", ir->t_i64, arguments, 2, "span");
    return (emit_comparison){LLVMIntULT, v_offset, v_span};
}

/* perms[(index + offset) >> 12] - min_perm, which is below 256 - min_perm exactly if the page allows it. */
static LLVMValueRef page_excess(const ir *ir, const emit_site *site, LLVMValueRef v_perms, uint64_t offset) {
    LLVMValueRef v_byte = site->v_index;
    if (offset > 0)
        v_byte = LLVMBuildNUWAdd(ir->builder, v_byte, ir_const(ir->t_i64, offset), "last");
    LLVMValueRef v_page = LLVMBuildLShr(ir->builder, v_byte, ir_const(ir->t_i64, MF_PAGE_LOG2), "page");
    LLVMValueRef v_entry = LLVMBuildGEP2(ir->builder, ir->t_i8, v_perms, &v_page, 1, "entry");
    LLVMValueRef v_perm = ir_load_bytes(ir, ir->t_i8, v_entry, IR_BYTES_TABLE, "perm");
    return LLVMBuildSub(ir->builder, v_perm, ir_const(ir->t_i8, site->plan->min_perm), "excess");
}

/*
 * perm - min_perm is in {0, ..., 2 - min_perm} if the page allows the access and at least 254 otherwise, and
 * 2 - min_perm is 0 or 1: so the bitwise or of both is at most 2 - min_perm exactly if both allow it.
 */
static emit_comparison compare_page_table(const ir *ir, const emit_site *site) {
    LLVMValueRef v_perms = ir_load_view_field(ir, site->v_view, IR_VIEW_PERMS);
    LLVMValueRef v_excess = page_excess(ir, site, v_perms, 0);
    if (site->info->width_bytes > 1) {
        LLVMValueRef v_excess_last = page_excess(ir, site, v_perms, site->info->width_bytes - 1);
        v_excess = LLVMBuildOr(ir->builder, v_excess, v_excess_last, "excess");
    }
    LLVMValueRef v_most = ir_const(ir->t_i8, (uint64_t)(MF_PERM_RW - site->plan->min_perm));
    return (emit_comparison){LLVMIntULE, v_excess, v_most};
}

emit_check emit_check_begin(const ir *ir, const emit_site *site) {
    const mf_plan *plan = site->plan;
    emit_check check = {.count = 1};
    switch (plan->check) {
    case MF_CHECK_BOUND:
    case MF_CHECK_WINDOW:
        check.comparisons[0] = compare_window(ir, site, plan->windows[0]);
        break;
    case MF_CHECK_TWO_WINDOWS:
        check.count = 2;
        check.comparisons[0] = compare_window(ir, site, plan->windows[0]);
        check.comparisons[1] = compare_window(ir, site, plan->windows[1]);
        break;
    case MF_CHECK_HEAP:
        check.count = plan->window_count;
        check.comparisons[0] = compare_growing_window(ir, site, plan->windows[0]);
        if (check.count == 2)
            check.comparisons[1] = compare_window(ir, site, plan->windows[1]);
        break;
    case MF_CHECK_PAGE_TABLE:
        check.comparisons[0] = compare_page_table(ir, site);
        break;
    case MF_CHECK_ALWAYS_FAULT:
    case MF_CHECK_ALWAYS_ALLOWED:
    case MF_CHECK_PAGED:
        assert(false && "a plan without a comparison");
        break;
    }
    return check;
}

static LLVMValueRef comparison_holds(const ir *ir, const emit_comparison *comparison) {
    return LLVMBuildICmp(ir->builder, comparison->predicate, comparison->v_left, comparison->v_right, "ok");
}

LLVMValueRef emit_check_holds(const ir *ir, const emit_check *check) {
    LLVMValueRef v_first = comparison_holds(ir, &check->comparisons[0]);
    if (check->count == 1)
        return v_first;
    LLVMValueRef v_second = comparison_holds(ir, &check->comparisons[1]);
    return LLVMBuildOr(ir->builder, v_first, v_second, "ok");
}

/* The comparison once more, on an operand that LLVM cannot recognise, so that it cannot fold it into the
 * branch. */
static LLVMValueRef comparison_holds_laundered(const ir *ir, const emit_comparison *comparison) {
    LLVMTypeRef type = LLVMTypeOf(comparison->v_left);
    emit_comparison again = *comparison;
    if (type == ir->t_i8) {
        again.v_left = LLVMBuildZExt(ir->builder, again.v_left, ir->t_i32, "wide");
        again.v_right = LLVMBuildZExt(ir->builder, again.v_right, ir->t_i32, "wide");
    }
    again.v_left = ir_launder(ir, again.v_left, "opaque");
    return comparison_holds(ir, &again);
}

LLVMValueRef emit_check_mask(const ir *ir, const emit_site *site, const emit_check *check) {
    LLVMValueRef v_ok = comparison_holds_laundered(ir, &check->comparisons[0]);
    if (check->count == 2) {
        LLVMValueRef v_second = comparison_holds_laundered(ir, &check->comparisons[1]);
        v_ok = LLVMBuildOr(ir->builder, v_ok, v_second, "ok");
    }
    /* All ones or zero; laundered, or LLVM would make the and a select, and that perhaps a branch. */
    LLVMValueRef v_mask = LLVMBuildSExt(ir->builder, v_ok, ir->t_i64, "mask");
    LLVMValueRef v_opaque_mask = ir_launder(ir, v_mask, "mask.opaque");
    LLVMValueRef v_start =
        ir_const(ir->t_i64, site->plan->window_count > 0 ? site->plan->windows[0].start : 0);
    LLVMValueRef v_offset = LLVMBuildSub(ir->builder, site->v_index, v_start, "offset");
    LLVMValueRef v_masked = LLVMBuildAnd(ir->builder, v_offset, v_opaque_mask, "offset.masked");
    return LLVMBuildAdd(ir->builder, v_masked, v_start, "index.masked");
}
