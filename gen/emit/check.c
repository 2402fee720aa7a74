/*
 * How each step is written; the proofs stand with the plan (plan/steps.c). Each comparison is a branch of its
 * own: one condition made of all of them would cost more instructions than the branches, which are predicted.
 */
#include "emit/check.h"

#include "emit/number.h"

#include <assert.h>
#include <stdio.h>

/* ---- Windows ---- */

/*
 * Check and address come from one 64-bit value, so that a loop carries one induction variable. Only where the
 * constants do not fit a sign-extended 32-bit immediate is the same comparison made modulo 2^32, which is
 * exact for 32-bit addresses and saves a move. Of holes the stencil's size says it.
 */
static bool step_is_narrow(const emit_site *site, const mf_plan_step *step) {
    bool is_offset = step->kind == MF_STEP_IN_WINDOW || step->kind == MF_STEP_NOT_IN_HOLE;
    bool fits =
        site->holes != NULL ? !site->holes->wide : step->start <= INT32_MAX && step->last <= INT32_MAX;
    return is_offset && site->v_address != NULL && !fits;
}

static bool compares(const mf_plan_step *step) {
    return step->kind != MF_STEP_SAME_LAYOUT && step->kind != MF_STEP_SAME_BACKEND &&
           step->kind != MF_STEP_MASK && step->kind != MF_STEP_ALWAYS;
}

bool emit_check_is_narrow(const emit_site *site) {
    bool is_narrow = false;
    for (uint32_t i = 0; i < site->plan->step_count; i++) {
        const mf_plan_step *step = &site->plan->steps[i];
        if (compares(step) && !step_is_narrow(site, step))
            return false;
        is_narrow = is_narrow || compares(step);
    }
    return is_narrow;
}

/* A step at one site, with the 64-bit index if it has been widened. */
typedef struct asked {
    const ir *ir;
    const emit_site *site;
    const mf_plan_step *step;
    LLVMValueRef v_index;
} asked;

/* at - start, and its comparison with last */
static emit_comparison compare_offset(const asked *q, LLVMIntPredicate predicate) {
    const ir *ir = q->ir;
    LLVMValueRef v_at = step_is_narrow(q->site, q->step) ? q->site->v_address : q->v_index;
    LLVMValueRef v_offset = q->step->start == 0 ? v_at : emit_minus_start(ir, q->site, q->step, v_at);
    LLVMValueRef v_last = emit_number(ir, q->site, LLVMTypeOf(v_at), q->step, PLAN_NUMBER_LAST);
    return (emit_comparison){predicate, v_offset, v_last, NULL};
}

/* ---- The byte that is looked at ---- */

/* index + width - 1 */
static LLVMValueRef last_byte(const asked *q) {
    if (q->site->plan->width_bytes == 1)
        return q->v_index;
    LLVMValueRef v_more = emit_number(q->ir, q->site, q->ir->t_i64, q->step, PLAN_NUMBER_WIDTH_MORE);
    return LLVMBuildNUWAdd(q->ir->builder, q->v_index, v_more, "last");
}

static LLVMValueRef byte_at(const asked *q) {
    return q->step->at == MF_AT_LAST ? last_byte(q) : q->v_index;
}

/*
 * The first byte, a 32-bit address in 32 bits: LLVM then sees what a shift drops, and takes the lookup out of
 * a loop that stays in one granule. Made from the index, so that no copy of the address is kept.
 */
static LLVMValueRef narrow_byte_at(const asked *q) {
    if (q->step->at == MF_AT_LAST || q->site->v_address == NULL)
        return byte_at(q);
    return LLVMBuildTrunc(q->ir->builder, q->v_index, q->ir->t_i32, "address");
}

/* ---- The heap ---- */

static bool asks_heap(const mf_plan_step *step) {
    return step->kind == MF_STEP_BELOW_HEAP_END || step->kind == MF_STEP_IN_HEAP ||
           step->kind == MF_STEP_NOT_IN_GROWTH;
}

/* What a step about the heap compares an offset with: it is the same wherever the access goes. */
static LLVMValueRef room_of(const ir *ir, const emit_site *site, const mf_plan_step *step) {
    LLVMValueRef v_heap_end =
        site->v_heap_end != NULL ? site->v_heap_end : ir_load_heap_end(ir, site->v_view);
    if (step->kind == MF_STEP_BELOW_HEAP_END)
        return emit_minus_last(ir, site, step, v_heap_end);
    if (step->kind == MF_STEP_IN_HEAP) {
        LLVMValueRef v_last = emit_number(ir, site, ir->t_i64, step, PLAN_NUMBER_LAST);
        LLVMValueRef arguments[] = {v_heap_end, v_last};
        return ir_call_intrinsic(ir, "llvm.usub.sat", ir->t_i64, arguments, 2, "room");
    }
    LLVMValueRef v_behind = emit_number(ir, site, ir->t_i64, step, PLAN_NUMBER_END);
    return LLVMBuildSub(ir->builder, v_heap_end, v_behind, "room");
}

/* The first step about the heap if every access comes to it, or NULL. */
static const mf_plan_step *find_sure_step(const mf_plan *plan) {
    for (uint32_t i = 0; i < plan->step_count; i++) {
        if (asks_heap(&plan->steps[i]))
            return &plan->steps[i];
        if (plan->steps[i].on_pass == MF_EXIT_ALLOWED)
            break;
    }
    return NULL;
}

LLVMValueRef emit_check_room(const ir *ir, const emit_site *site) {
    const mf_plan_step *step = find_sure_step(site->plan);
    return step == NULL ? NULL : room_of(ir, site, step);
}

static LLVMValueRef room(const asked *q) {
    bool is_made = q->site->v_room != NULL && q->step == find_sure_step(q->site->plan);
    return is_made ? q->site->v_room : room_of(q->ir, q->site, q->step);
}

/* at - start < heap_end - last, or nothing where that is negative. */
static emit_comparison compare_growing(const asked *q) {
    const ir *ir = q->ir;
    LLVMValueRef v_offset = emit_minus_start(ir, q->site, q->step, q->v_index);
    return (emit_comparison){LLVMIntULT, v_offset, room(q), NULL};
}

/*
 * Not h <= at < e, with h the heap end and e = last + 1, h < e: at - e < h - e modulo 2^64. For at in [h, e)
 * the left side is h - e or more; at or above e it is less than 2^34, below h it is less than h - e, which
 * is at least 2^64 - 2^33. The right side does not change in a loop, and LLVM sees that the left side reaches
 * it without a wrap.
 */
static emit_comparison compare_growth(const asked *q) {
    const ir *ir = q->ir;
    LLVMValueRef v_at = byte_at(q);
    LLVMValueRef v_behind = emit_number(ir, q->site, ir->t_i64, q->step, PLAN_NUMBER_END);
    LLVMValueRef v_offset = LLVMBuildSub(ir->builder, v_at, v_behind, "offset");
    return (emit_comparison){LLVMIntULT, v_offset, room(q), NULL};
}

/* ---- Tables ---- */

/* A number shifted out of an index, as an i64. */
static LLVMValueRef widen_number(const ir *ir, LLVMValueRef v_number) {
    bool is_wide = LLVMTypeOf(v_number) == ir->t_i64;
    return is_wide ? v_number : LLVMBuildZExt(ir->builder, v_number, ir->t_i64, "number");
}

/* `v_byte` >> one of the step's numbers, as an i64. */
static LLVMValueRef number_of(const asked *q, LLVMValueRef v_byte, plan_number log2) {
    return widen_number(q->ir, emit_shift_right(q->ir, q->site, q->step, log2, v_byte));
}

/* The live permission of the page. */
static emit_comparison compare_permission(const asked *q) {
    const ir *ir = q->ir;
    mf_perm least = q->site->plan->operation == MF_STORE ? MF_PERM_RW : MF_PERM_RO;
    LLVMValueRef v_byte = narrow_byte_at(q);
    LLVMValueRef v_perms = ir_load_view_field(ir, q->site->v_view, IR_VIEW_PERMS);
    LLVMValueRef v_log2 = ir_const(LLVMTypeOf(v_byte), MF_PAGE_LOG2);
    LLVMValueRef v_page = widen_number(ir, LLVMBuildLShr(ir->builder, v_byte, v_log2, "number"));
    LLVMValueRef v_entry = LLVMBuildGEP2(ir->builder, ir->t_i8, v_perms, &v_page, 1, "entry");
    LLVMValueRef v_perm = ir_load_bytes(ir, ir->t_i8, v_entry, IR_BYTES_TABLE, "perm");
    return (emit_comparison){LLVMIntUGE, v_perm, ir_const(ir->t_i8, least), NULL};
}

static emit_comparison compare_space(const asked *q) {
    LLVMValueRef v_last = emit_number(q->ir, q->site, q->ir->t_i64, q->step, PLAN_NUMBER_LAST);
    return (emit_comparison){LLVMIntULE, q->v_index, v_last, NULL};
}

/*
 * Entry `v_byte` >> `log2` of the plan's table, whose last is number `most`. The index lies in the space when
 * this is reached, so the and changes nothing; it keeps a load that is only speculated in the table too, as a
 * shifted 32-bit number is by itself. It costs no instruction: LLVM shifts 32 bits instead of 64. But LLVM's
 * passes see by the comparison before that it is idle. So where it has to hold whatever is predicted, 32 bits
 * are shifted that LLVM does not know.
 */
static LLVMValueRef load_entry(const asked *q, LLVMTypeRef t_entry, LLVMValueRef v_byte, plan_number log2,
                               plan_number most) {
    const ir *ir = q->ir;
    bool is_wide = LLVMTypeOf(v_byte) == ir->t_i64;
    bool is_opaque = is_wide && mf_plan_has_step(q->site->plan, MF_STEP_MASK);
    if (is_opaque) {
        LLVMValueRef v_narrow = LLVMBuildTrunc(ir->builder, v_byte, ir->t_i32, "byte");
        v_byte = ir_launder(ir, v_narrow, "byte.opaque");
    }
    LLVMValueRef v_number = number_of(q, v_byte, log2);
    if (is_wide && !is_opaque) {
        LLVMValueRef v_most = emit_number(ir, q->site, ir->t_i64, q->step, most);
        v_number = LLVMBuildAnd(ir->builder, v_number, v_most, "number");
    }
    LLVMValueRef v_entry = LLVMBuildGEP2(ir->builder, t_entry, q->site->v_table, &v_number, 1, "entry");
    return ir_load_constant(ir, t_entry, v_entry, "granule");
}

static emit_comparison compare_table_byte(const asked *q) {
    LLVMValueRef v_byte = narrow_byte_at(q);
    LLVMValueRef v_granule =
        load_entry(q, q->ir->t_i8, v_byte, PLAN_NUMBER_GRANULE_LOG2, PLAN_NUMBER_LAST_GRANULE);
    return (emit_comparison){LLVMIntNE, v_granule, ir_const(q->ir->t_i8, 0), NULL};
}

/* Bit at >> granule_log2, in 32-bit words. */
static emit_comparison compare_table_bit(const asked *q) {
    const ir *ir = q->ir;
    LLVMValueRef v_byte = narrow_byte_at(q);
    LLVMValueRef v_word = load_entry(q, ir->t_i32, v_byte, PLAN_NUMBER_WORD_LOG2, PLAN_NUMBER_LAST_WORD);
    LLVMValueRef v_number = number_of(q, v_byte, PLAN_NUMBER_GRANULE_LOG2);
    LLVMValueRef v_narrow = LLVMBuildTrunc(ir->builder, v_number, ir->t_i32, "number");
    LLVMValueRef v_shift = LLVMBuildAnd(ir->builder, v_narrow, ir_const(ir->t_i32, 31), "shift");
    LLVMValueRef v_shifted = LLVMBuildLShr(ir->builder, v_word, v_shift, "shifted");
    LLVMValueRef v_bit = LLVMBuildAnd(ir->builder, v_shifted, ir_const(ir->t_i32, 1), "bit");
    return (emit_comparison){LLVMIntNE, v_bit, ir_const(ir->t_i32, 0), v_shifted};
}

/*
 * Bit (at - start) >> granule_log2 of the step's constant. That the access lies in the hull has been compared
 * before; what is only speculated takes some other bit.
 */
static emit_comparison compare_immediate_bit(const asked *q) {
    const ir *ir = q->ir;
    LLVMValueRef v_byte = byte_at(q);
    LLVMValueRef v_offset = emit_minus_start(ir, q->site, q->step, v_byte);
    LLVMValueRef v_number = number_of(q, v_offset, PLAN_NUMBER_GRANULE_LOG2);
    LLVMValueRef v_shift = LLVMBuildAnd(ir->builder, v_number, ir_const(ir->t_i64, 63), "shift");
    LLVMValueRef v_bits = emit_number(ir, q->site, ir->t_i64, q->step, PLAN_NUMBER_BITS);
    LLVMValueRef v_shifted = LLVMBuildLShr(ir->builder, v_bits, v_shift, "shifted");
    LLVMValueRef v_bit = LLVMBuildAnd(ir->builder, v_shifted, ir_const(ir->t_i64, 1), "bit");
    return (emit_comparison){LLVMIntNE, v_bit, ir_const(ir->t_i64, 0), v_shifted};
}

/* Where LLVM knows the low bits of the index, as it does of an aligned one, it knows the answer. */
static emit_comparison compare_in_granule(const asked *q) {
    LLVMValueRef v_first = narrow_byte_at(q);
    LLVMTypeRef t_first = LLVMTypeOf(v_first);
    LLVMValueRef v_low = emit_number(q->ir, q->site, t_first, q->step, PLAN_NUMBER_GRANULE_LOW);
    LLVMValueRef v_place = LLVMBuildAnd(q->ir->builder, v_first, v_low, "place");
    LLVMValueRef v_last = emit_number(q->ir, q->site, t_first, q->step, PLAN_NUMBER_LAST);
    return (emit_comparison){LLVMIntULE, v_place, v_last, NULL};
}

/* ---- Steps ---- */

static emit_comparison compare(const asked *q) {
    switch ((mf_step_kind)q->step->kind) {
    case MF_STEP_IN_WINDOW:
        return compare_offset(q, LLVMIntULE);
    case MF_STEP_NOT_IN_HOLE:
        return compare_offset(q, LLVMIntUGT);
    case MF_STEP_BELOW_HEAP_END:
    case MF_STEP_IN_HEAP:
        return compare_growing(q);
    case MF_STEP_NOT_IN_GROWTH:
        return compare_growth(q);
    case MF_STEP_IN_SPACE:
        return compare_space(q);
    case MF_STEP_PERMISSION:
        return compare_permission(q);
    case MF_STEP_TABLE_BYTE:
        return compare_table_byte(q);
    case MF_STEP_TABLE_BIT:
        return compare_table_bit(q);
    case MF_STEP_IMMEDIATE_BIT:
        return compare_immediate_bit(q);
    case MF_STEP_IN_GRANULE:
        return compare_in_granule(q);
    default:
        break;
    }
    assert(false && "a step of an access that compares nothing");
    return (emit_comparison){0};
}

LLVMValueRef emit_comparison_holds(const ir *ir, const emit_comparison *comparison) {
    return LLVMBuildICmp(ir->builder, comparison->predicate, comparison->v_left, comparison->v_right, "ok");
}

/* ---- Branches ---- */

static LLVMBasicBlockRef follow_step(const ir *ir, const mf_plan_step *step) {
    char name[64];
    snprintf(name, sizeof name, "check.%s", mf_step_name((mf_step_kind)step->kind));
    return ir_block_follow(ir, name);
}

/* The fault is the unlikely side. A step that allows early has a weight if the plan knows its percentage. */
static void branch(const ir *ir, const mf_plan_step *step, LLVMValueRef v_ok, LLVMBasicBlockRef b_pass,
                   LLVMBasicBlockRef b_fail) {
    if (step->percent != 0)
        ir_branch_weighted(ir, v_ok, b_pass, b_fail, step->percent);
    else
        ir_branch_likely(ir, v_ok, b_pass, b_fail);
}

static LLVMBasicBlockRef block_of(uint32_t exit, LLVMBasicBlockRef b_next, LLVMBasicBlockRef b_access,
                                  LLVMBasicBlockRef b_fault) {
    switch ((mf_exit)exit) {
    case MF_EXIT_NEXT:
        return b_next;
    case MF_EXIT_ALLOWED:
        return b_access;
    case MF_EXIT_FAULT:
        return b_fault;
    case MF_EXIT_HANDLER:
    case MF_EXIT_PANIC:
        break;
    }
    assert(false && "a comparison leads to the next step, the access or the fault");
    return b_fault;
}

static bool is_mask(const mf_plan_step *step) {
    return step->kind == MF_STEP_MASK;
}

emit_check emit_check_steps(const ir *ir, const emit_site *site, uint32_t first, LLVMValueRef v_index,
                            LLVMBasicBlockRef b_fault) {
    const mf_plan *plan = site->plan;
    LLVMBasicBlockRef b_access = ir_block_follow(ir, "access");
    emit_check check = {0};
    for (uint32_t i = first; i < plan->step_count && !is_mask(&plan->steps[i]); i++) {
        const mf_plan_step *step = &plan->steps[i];
        bool is_last = i + 1 == plan->step_count || is_mask(&plan->steps[i + 1]);
        LLVMBasicBlockRef b_next = is_last ? b_access : NULL;
        asked q = {ir, site, step, v_index};
        emit_comparison comparison = compare(&q);
        check.comparisons[check.count++] = comparison;
        LLVMValueRef v_ok = emit_comparison_holds(ir, &comparison);
        if (b_next == NULL)
            b_next = follow_step(ir, step + 1);
        LLVMBasicBlockRef b_pass = block_of(step->on_pass, b_next, b_access, b_fault);
        LLVMBasicBlockRef b_fail = block_of(step->on_fail, b_next, b_access, b_fault);
        if (b_pass == b_fault || b_fail == b_fault)
            check.b_fault_from = LLVMGetInsertBlock(ir->builder);
        branch(ir, step, v_ok, b_pass, b_fail);
        ir_block_enter(ir, b_next);
    }
    return check;
}
