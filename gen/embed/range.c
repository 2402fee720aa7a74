/* One check for a whole range, in the plan's words (plan/range.c). */
#include "embed/embed.h"

#include <assert.h>

typedef struct range {
    const ir *ir;
    const emit_site *site;
    LLVMValueRef v_length; /* i64 */
} range;

/* index - start <= n  and  length <= n - (index - start), for a window of n bytes */
static LLVMValueRef holds_in_window(const range *r, const mf_plan_step *step, LLVMValueRef v_bytes) {
    const ir *ir = r->ir;
    LLVMValueRef v_start = ir_const(ir->t_i64, step->start);
    LLVMValueRef v_offset = LLVMBuildSub(ir->builder, r->site->v_index, v_start, "offset");
    LLVMValueRef v_begins = LLVMBuildICmp(ir->builder, LLVMIntULE, v_offset, v_bytes, "begins");
    LLVMValueRef v_room = LLVMBuildSub(ir->builder, v_bytes, v_offset, "room");
    LLVMValueRef v_ends = LLVMBuildICmp(ir->builder, LLVMIntULE, r->v_length, v_room, "ends");
    return LLVMBuildAnd(ir->builder, v_begins, v_ends, "ok");
}

static LLVMValueRef heap_end(const range *r) {
    return r->site->v_heap_end != NULL ? r->site->v_heap_end : ir_load_heap_end(r->ir, r->site->v_view);
}

/* The bytes of the window that ends at the live heap end. */
static LLVMValueRef heap_bytes(const range *r, const mf_plan_step *step) {
    return LLVMBuildSub(r->ir->builder, heap_end(r), ir_const(r->ir->t_i64, step->start), "window.bytes");
}

static LLVMValueRef is_empty(const range *r) {
    return LLVMBuildICmp(r->ir->builder, LLVMIntEQ, r->v_length, ir_const(r->ir->t_i64, 0), "empty");
}

/* length = 0  and  index <= v_end */
static LLVMValueRef empty_up_to(const range *r, LLVMValueRef v_end) {
    LLVMValueRef v_empty = is_empty(r);
    LLVMValueRef v_below = LLVMBuildICmp(r->ir->builder, LLVMIntULE, r->site->v_index, v_end, "up.to");
    return LLVMBuildAnd(r->ir->builder, v_empty, v_below, "ok");
}

static LLVMValueRef empty_in_heap(const range *r, const mf_plan_step *step) {
    LLVMValueRef v_end = heap_end(r);
    LLVMValueRef v_up_to = empty_up_to(r, v_end);
    LLVMValueRef v_start = ir_const(r->ir->t_i64, step->start);
    LLVMValueRef v_has_page = LLVMBuildICmp(r->ir->builder, LLVMIntULT, v_start, v_end, "has.page");
    return LLVMBuildAnd(r->ir->builder, v_up_to, v_has_page, "ok");
}

static LLVMValueRef step_holds(const range *r, const mf_plan_step *step) {
    const ir *ir = r->ir;
    switch ((mf_step_kind)step->kind) {
    case MF_STEP_IS_EMPTY:
        return is_empty(r);
    case MF_STEP_EMPTY_UP_TO:
        return empty_up_to(r, ir_const(ir->t_i64, step->last));
    case MF_STEP_EMPTY_IN_HEAP:
        return empty_in_heap(r, step);
    case MF_STEP_RANGE_IN_WINDOW:
        return holds_in_window(r, step, ir_const(ir->t_i64, step->last + 1));
    case MF_STEP_RANGE_BELOW_HEAP_END:
        return holds_in_window(r, step, heap_bytes(r, step));
    case MF_STEP_RANGE_PERMISSION:
        return emit_range_call(ir, r->site->v_view, r->site->v_index, r->site->v_access);
    default:
        break;
    }
    assert(false && "a step that is not of a range");
    return NULL;
}

/*
 * One condition, so that loops can hoist it: a step that passes allows or refuses, and if none does it is a
 * fault. From the last step on, as what holds if the steps before have not decided.
 */
static LLVMValueRef range_holds(const range *r) {
    const mf_plan *plan = r->site->plan;
    LLVMValueRef holds[MF_PLAN_STEPS_MAX];
    for (uint32_t i = 0; i < plan->step_count; i++) {
        assert(plan->steps[i].on_pass == MF_EXIT_ALLOWED || plan->steps[i].on_pass == MF_EXIT_FAULT);
        assert(plan->steps[i].on_fail == (i + 1 == plan->step_count ? MF_EXIT_FAULT : MF_EXIT_NEXT));
        holds[i] = step_holds(r, &plan->steps[i]);
    }
    const mf_plan_step *last = &plan->steps[plan->step_count - 1];
    bool may_hold = last->on_pass == MF_EXIT_ALLOWED;
    LLVMValueRef v_ok = may_hold ? holds[plan->step_count - 1] : ir_const(r->ir->t_i1, 0);
    for (uint32_t i = plan->step_count - 1; i-- > 0;) {
        if (plan->steps[i].on_pass == MF_EXIT_ALLOWED) {
            v_ok = LLVMBuildOr(r->ir->builder, holds[i], v_ok, "ok");
        } else {
            LLVMValueRef v_not = LLVMBuildNot(r->ir->builder, holds[i], "not");
            v_ok = LLVMBuildAnd(r->ir->builder, v_not, v_ok, "ok");
        }
    }
    return v_ok;
}

/*
 * MF_ACCESS_CODE of a length that is only known when the code runs. It has 63 bits for the length: one that
 * needs the 64th is as far beyond the space as the largest of them, and must not become a small one.
 */
static LLVMValueRef access_code(const ir *ir, mf_operation operation, LLVMValueRef v_length) {
    LLVMValueRef lengths[] = {v_length, ir_const(ir->t_i64, INT64_MAX)};
    LLVMValueRef v_coded = ir_call_intrinsic(ir, "llvm.umin", ir->t_i64, lengths, 2, "length.coded");
    LLVMValueRef v_shifted = LLVMBuildShl(ir->builder, v_coded, ir_const(ir->t_i64, 1), "");
    return LLVMBuildOr(ir->builder, v_shifted, ir_const(ir->t_i64, operation), "access");
}

void mf_embed_check_range(const mf_embed *embed, LLVMBuilderRef builder, const mf_embed_access *access,
                          LLVMValueRef length, mf_operation operation, LLVMBasicBlockRef *fault_from) {
    ir ir = embed->ir;
    assert(operation == MF_LOAD || operation == MF_STORE);
    operation = operation == MF_LOAD ? MF_LOAD : MF_STORE;
    ir.builder = builder;
    LLVMValueRef v_index = embed_index(&ir, access);
    if (v_index == NULL)
        v_index = LLVMBuildZExt(builder, access->address, ir.t_i64, "index");
    emit_site site = {.plan = &embed->range_plans[operation],
                      .options = &embed->options,
                      .v_view = access->view,
                      .v_heap_end = access->heap_end,
                      .v_index = v_index};
    embed_tell_edge(&site, NULL, fault_from);
    if (!mf_plan_has_fault_edge(site.plan))
        return;
    site.v_access = access_code(&ir, operation, length);
    bool is_direct = embed->options.on_fault == MF_ON_FAULT_BRANCH;
    LLVMBasicBlockRef b_here = LLVMGetInsertBlock(builder);
    LLVMBasicBlockRef b_good = ir_block_follow(&ir, "range.ok");
    LLVMBasicBlockRef b_fault = is_direct
                                    ? access->fault_block
                                    : ir_block_append(&ir, LLVMGetBasicBlockParent(b_here), "range.fault");
    range r = {&ir, &site, length};
    LLVMValueRef v_ok = range_holds(&r);
    ir_branch_likely(&ir, v_ok, b_good, b_fault);
    if (!is_direct) {
        ir_block_enter(&ir, b_fault);
        emit_cold cold = {.v_index = v_index};
        embed_leave(&ir, &site, &cold, access->fault_block);
    }
    ir_block_enter(&ir, b_good);
    embed_tell_edge(&site, is_direct ? b_here : b_fault, fault_from);
}
