/*
 * One check for a whole range. For a window [s, s + n), n bytes long, in unsigned arithmetic modulo 2^64:
 *
 *     s <= i  and  i + len <= s + n   <=>   i - s <= n  and  len <= n - (i - s)
 *
 * where the second comparison is only looked at if the first holds, so that its right side does not wrap.
 * Where the plan is no window the runtime looks at the live permissions, once for the range.
 */
#include "embed/embed.h"

/* The bytes of a window of the plan, as i64: a constant, or up to the live heap end. */
static LLVMValueRef window_bytes(const ir *ir, const emit_site *site, uint32_t number) {
    const mf_plan *plan = site->plan;
    mf_plan_window window = plan->windows[number];
    if (plan->check != MF_CHECK_HEAP || number != 0)
        return ir_const(ir->t_i64, window.last + 1);
    LLVMValueRef v_heap_end = ir_load_view_field(ir, site->v_view, IR_VIEW_HEAP_END);
    return LLVMBuildSub(ir->builder, v_heap_end, ir_const(ir->t_i64, window.start), "window.bytes");
}

static LLVMValueRef window_holds(const ir *ir, const emit_site *site, uint32_t number,
                                 LLVMValueRef v_length) {
    LLVMValueRef v_start = ir_const(ir->t_i64, site->plan->windows[number].start);
    LLVMValueRef v_bytes = window_bytes(ir, site, number);
    LLVMValueRef v_offset = LLVMBuildSub(ir->builder, site->v_index, v_start, "offset");
    LLVMValueRef v_begins = LLVMBuildICmp(ir->builder, LLVMIntULE, v_offset, v_bytes, "begins");
    LLVMValueRef v_room = LLVMBuildSub(ir->builder, v_bytes, v_offset, "room");
    LLVMValueRef v_ends = LLVMBuildICmp(ir->builder, LLVMIntULE, v_length, v_room, "ends");
    return LLVMBuildAnd(ir->builder, v_begins, v_ends, "ok");
}

static LLVMValueRef windows_hold(const ir *ir, const emit_site *site, LLVMValueRef v_length) {
    LLVMValueRef v_empty = LLVMBuildICmp(ir->builder, LLVMIntEQ, v_length, ir_const(ir->t_i64, 0), "empty");
    LLVMValueRef v_ok = v_empty;
    for (uint32_t i = 0; i < site->plan->window_count; i++) {
        LLVMValueRef v_window = window_holds(ir, site, i, v_length);
        v_ok = LLVMBuildOr(ir->builder, v_ok, v_window, "ok");
    }
    return v_ok;
}

static LLVMValueRef range_holds(const ir *ir, const emit_site *site, LLVMValueRef v_access,
                                LLVMValueRef v_length) {
    return site->plan->window_count == 0 ? emit_range_call(ir, site, v_access)
                                         : windows_hold(ir, site, v_length);
}

/* MF_ACCESS_CODE of a length that is only known when the code runs. */
static LLVMValueRef access_code(const ir *ir, mf_operation operation, LLVMValueRef v_length) {
    LLVMValueRef v_shifted = LLVMBuildShl(ir->builder, v_length, ir_const(ir->t_i64, 1), "");
    return LLVMBuildOr(ir->builder, v_shifted, ir_const(ir->t_i64, operation), "access");
}

void mf_embed_check_range(const mf_embed *embed, LLVMBuilderRef builder, const mf_embed_access *access,
                          LLVMValueRef length, mf_operation operation, LLVMBasicBlockRef *fault_from) {
    ir ir = embed->ir;
    ir.builder = builder;
    LLVMValueRef v_index = embed_index(&ir, access);
    if (v_index == NULL)
        v_index = LLVMBuildZExt(builder, access->address, ir.t_i64, "index");
    emit_site site = {.plan = &embed->range_plans[operation],
                      .info = mf_accessor_info_get(operation == MF_LOAD ? MF_LOAD_U8 : MF_STORE_U8),
                      .options = &embed->options,
                      .v_view = access->view,
                      .v_index = v_index};
    embed_tell_edge(&site, NULL, fault_from);
    if (site.plan->check == MF_CHECK_ALWAYS_ALLOWED)
        return;
    site.v_access = access_code(&ir, operation, length);
    LLVMBasicBlockRef b_good = ir_block_follow(&ir, "range.ok");
    LLVMValueRef function = LLVMGetBasicBlockParent(b_good);
    LLVMBasicBlockRef b_fault = ir_block_append(&ir, function, "range.fault");
    LLVMValueRef v_ok = range_holds(&ir, &site, site.v_access, length);
    ir_branch_likely(&ir, v_ok, b_good, b_fault);
    ir_block_enter(&ir, b_fault);
    embed_leave(&ir, &site, access->fault_block);
    ir_block_enter(&ir, b_good);
    embed_tell_edge(&site, b_fault, fault_from);
}
