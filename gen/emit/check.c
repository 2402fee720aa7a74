/*
 * How each check is written; the proofs stand with the plan (plan/make.c). A check is a row of steps that all
 * must hold. Each is a branch of its own to the fault block, which is never taken and so predicted; one
 * condition made of all of them would cost more instructions than the branches.
 *
 * A lookup asks for the access's first byte. Only an access that may reach into the next granule goes on to
 * the block `straddle` and asks for its last byte as well.
 */
#include "emit/emit.h"

#include <assert.h>

typedef emit_comparison (*check_step)(const ir *ir, const emit_site *site);

/* ---- Windows ---- */

/*
 * Check and address come from one 64-bit value, so that a loop carries one induction variable. Only where the
 * constants do not fit a sign-extended 32-bit immediate is the same comparison made modulo 2^32, which is
 * exact for 32-bit addresses and saves a move.
 */
static bool window_is_narrow(const emit_site *site, mf_plan_window window) {
    bool fits = window.start <= INT32_MAX && window.last <= INT32_MAX;
    return site->v_address != NULL && !fits;
}

/* From the first byte of the lower window to the last place in the upper one. */
static mf_plan_window outer_window(const mf_plan *plan) {
    mf_plan_window low = plan->windows[0];
    mf_plan_window high = plan->windows[1];
    return (mf_plan_window){low.start, high.start + high.last - low.start, 0};
}

/* The places above `low` and below `high`; `last` is how many there are. */
static mf_plan_window hole_window(mf_plan_window low, mf_plan_window high) {
    uint64_t start = low.start + low.last + 1;
    return (mf_plan_window){start, high.start - start, 0};
}

bool emit_check_is_narrow(const emit_site *site) {
    const mf_plan *plan = site->plan;
    const mf_plan_window *windows = plan->windows;
    if (plan->has_hot)
        return false;
    if (plan->check == MF_CHECK_TWO_WINDOWS)
        return window_is_narrow(site, outer_window(plan)) &&
               window_is_narrow(site, hole_window(windows[0], windows[1]));
    return (plan->check == MF_CHECK_BOUND || plan->check == MF_CHECK_WINDOW) &&
           window_is_narrow(site, windows[0]);
}

/* index - start <= last, or that with another predicate */
static emit_comparison compare_offset(const ir *ir, const emit_site *site, mf_plan_window window,
                                      LLVMIntPredicate predicate) {
    LLVMValueRef v_index = window_is_narrow(site, window) ? site->v_address : site->v_index;
    LLVMTypeRef type = LLVMTypeOf(v_index);
    LLVMValueRef v_start = ir_const(type, window.start);
    LLVMValueRef v_offset =
        window.start == 0 ? v_index : LLVMBuildSub(ir->builder, v_index, v_start, "offset");
    return (emit_comparison){predicate, v_offset, ir_const(type, window.last)};
}

static emit_comparison compare_window(const ir *ir, const emit_site *site) {
    return compare_offset(ir, site, site->plan->windows[0], LLVMIntULE);
}

static emit_comparison compare_outer(const ir *ir, const emit_site *site) {
    return compare_offset(ir, site, outer_window(site->plan), LLVMIntULE);
}

static emit_comparison compare_hole(const ir *ir, const emit_site *site) {
    mf_plan_window hole = hole_window(site->plan->windows[0], site->plan->windows[1]);
    return compare_offset(ir, site, hole, LLVMIntUGE);
}

/* ---- The heap ---- */

/* index + width - 1 */
static LLVMValueRef last_byte(const ir *ir, const emit_site *site) {
    LLVMValueRef v_more = ir_const(ir->t_i64, site->info->width_bytes - 1);
    return site->info->width_bytes == 1 ? site->v_index
                                        : LLVMBuildNUWAdd(ir->builder, site->v_index, v_more, "last");
}

/*
 * index - start < max(heap_end - start - (width - 1), 0); the maximum is needed only where the window may be
 * shorter than the access, that is empty.
 */
static emit_comparison compare_growing(const ir *ir, const emit_site *site, uint64_t start,
                                       bool may_be_empty) {
    LLVMValueRef v_offset = LLVMBuildSub(ir->builder, site->v_index, ir_const(ir->t_i64, start), "offset");
    LLVMValueRef v_heap_end = ir_load_view_field(ir, site->v_view, IR_VIEW_HEAP_END);
    LLVMValueRef v_needed = ir_const(ir->t_i64, start + site->info->width_bytes - 1);
    LLVMValueRef arguments[] = {v_heap_end, v_needed};
    LLVMValueRef v_span = may_be_empty
                              ? ir_call_intrinsic(ir, "llvm.usub.sat", ir->t_i64, arguments, 2, "span")
                              : LLVMBuildNUWSub(ir->builder, v_heap_end, v_needed, "span");
    return (emit_comparison){LLVMIntULT, v_offset, v_span};
}

static emit_comparison compare_heap(const ir *ir, const emit_site *site) {
    mf_plan_window window = site->plan->windows[0];
    return compare_growing(ir, site, window.start, window.fixed_bytes == 0);
}

/* From the first byte of the window below the heap's up to the heap end. */
static emit_comparison compare_outer_below_heap(const ir *ir, const emit_site *site) {
    return compare_growing(ir, site, site->plan->windows[1].start, false);
}

/* Below the heap's window there is another: the hole between them is constant. */
static emit_comparison compare_hole_below_heap(const ir *ir, const emit_site *site) {
    mf_plan_window hole = hole_window(site->plan->windows[1], site->plan->windows[0]);
    return compare_offset(ir, site, hole, LLVMIntUGE);
}

/* Not heap_end <= index + width - 1 < end, where heap_end <= end. */
static emit_comparison compare_not_between(const ir *ir, const emit_site *site, uint64_t end) {
    LLVMValueRef v_heap_end = ir_load_view_field(ir, site->v_view, IR_VIEW_HEAP_END);
    LLVMValueRef v_last = last_byte(ir, site);
    LLVMValueRef v_above = LLVMBuildSub(ir->builder, v_last, v_heap_end, "above");
    LLVMValueRef v_between = LLVMBuildNUWSub(ir->builder, ir_const(ir->t_i64, end), v_heap_end, "between");
    return (emit_comparison){LLVMIntUGE, v_above, v_between};
}

/* Above the heap's window there is another, which begins at or behind the first place that is not between. */
static emit_comparison compare_hole_above_heap(const ir *ir, const emit_site *site) {
    uint64_t last_place = site->plan->windows[1].start + site->info->width_bytes - 1;
    return compare_not_between(ir, site, last_place);
}

static emit_comparison compare_growth(const ir *ir, const emit_site *site) {
    return compare_not_between(ir, site, site->plan->growth_end);
}

/* ---- Tables ---- */

static bool is_masked(const emit_site *site) {
    return site->options->spectre == MF_SPECTRE_MASK;
}

/*
 * The first byte, a 32-bit address in 32 bits: LLVM then sees what a shift drops, and takes the lookup out of
 * a loop that stays in one granule. Made from the index, so that no copy of the address is kept.
 */
static LLVMValueRef first_byte(const ir *ir, const emit_site *site) {
    return site->v_address == NULL ? site->v_index
                                   : LLVMBuildTrunc(ir->builder, site->v_index, ir->t_i32, "address");
}

/* `v_byte` >> `log2` as an i64. */
static LLVMValueRef number_of(const ir *ir, LLVMValueRef v_byte, uint32_t log2) {
    LLVMTypeRef type = LLVMTypeOf(v_byte);
    LLVMValueRef v_number = LLVMBuildLShr(ir->builder, v_byte, ir_const(type, log2), "number");
    return type == ir->t_i64 ? v_number : LLVMBuildZExt(ir->builder, v_number, ir->t_i64, "number");
}

/* The live permission of the page of `v_byte`. */
static emit_comparison compare_perm(const ir *ir, const emit_site *site, LLVMValueRef v_byte) {
    LLVMValueRef v_perms = ir_load_view_field(ir, site->v_view, IR_VIEW_PERMS);
    LLVMValueRef v_page = number_of(ir, v_byte, MF_PAGE_LOG2);
    LLVMValueRef v_entry = LLVMBuildGEP2(ir->builder, ir->t_i8, v_perms, &v_page, 1, "entry");
    LLVMValueRef v_perm = ir_load_bytes(ir, ir->t_i8, v_entry, IR_BYTES_TABLE, "perm");
    return (emit_comparison){LLVMIntUGE, v_perm, ir_const(ir->t_i8, site->plan->min_perm)};
}

static emit_comparison compare_first_page(const ir *ir, const emit_site *site) {
    return compare_perm(ir, site, first_byte(ir, site));
}

static emit_comparison compare_last_page(const ir *ir, const emit_site *site) {
    return compare_perm(ir, site, last_byte(ir, site));
}

/* index <= 2^32 - width: behind it the constant tables have no entries. */
static emit_comparison compare_space(const ir *ir, const emit_site *site) {
    LLVMValueRef v_last = ir_const(ir->t_i64, MF_SPACE_BYTES - site->info->width_bytes);
    return (emit_comparison){LLVMIntULE, site->v_index, v_last};
}

/* Entry `v_byte` >> `log2` of the plan's table. What is only speculated stays within the table, too. */
static LLVMValueRef load_entry(const ir *ir, const emit_site *site, LLVMTypeRef type, LLVMValueRef v_byte,
                               uint32_t log2) {
    LLVMValueRef v_number = number_of(ir, v_byte, log2);
    if (is_masked(site)) {
        LLVMValueRef v_most = ir_const(ir->t_i64, (MF_SPACE_BYTES >> log2) - 1);
        v_number = LLVMBuildAnd(ir->builder, v_number, v_most, "number");
    }
    LLVMValueRef v_entry = LLVMBuildGEP2(ir->builder, type, site->v_table, &v_number, 1, "entry");
    return ir_load_constant(ir, type, v_entry, "granule");
}

static emit_comparison compare_byte(const ir *ir, const emit_site *site, LLVMValueRef v_byte) {
    LLVMValueRef v_granule = load_entry(ir, site, ir->t_i8, v_byte, site->plan->granule_log2);
    return (emit_comparison){LLVMIntNE, v_granule, ir_const(ir->t_i8, 0)};
}

/* Bit `v_byte` >> granule_log2, in 32-bit words. */
static emit_comparison compare_bit(const ir *ir, const emit_site *site, LLVMValueRef v_byte) {
    uint32_t log2 = site->plan->granule_log2;
    LLVMValueRef v_word = load_entry(ir, site, ir->t_i32, v_byte, log2 + 5);
    LLVMValueRef v_number = number_of(ir, v_byte, log2);
    LLVMValueRef v_narrow = LLVMBuildTrunc(ir->builder, v_number, ir->t_i32, "number");
    LLVMValueRef v_shift = LLVMBuildAnd(ir->builder, v_narrow, ir_const(ir->t_i32, 31), "shift");
    LLVMValueRef v_shifted = LLVMBuildLShr(ir->builder, v_word, v_shift, "shifted");
    LLVMValueRef v_bit = LLVMBuildAnd(ir->builder, v_shifted, ir_const(ir->t_i32, 1), "bit");
    return (emit_comparison){LLVMIntNE, v_bit, ir_const(ir->t_i32, 0)};
}

/*
 * Bit (v_byte - start) >> granule_log2 of the plan's constant. That the access lies in the hull has been
 * compared before; what is only speculated takes some other bit.
 */
static emit_comparison compare_immediate_bit(const ir *ir, const emit_site *site, LLVMValueRef v_byte) {
    const mf_plan *plan = site->plan;
    LLVMValueRef v_start = ir_const(ir->t_i64, plan->windows[0].start);
    LLVMValueRef v_offset = LLVMBuildSub(ir->builder, v_byte, v_start, "offset");
    LLVMValueRef v_number = number_of(ir, v_offset, plan->granule_log2);
    LLVMValueRef v_shift = LLVMBuildAnd(ir->builder, v_number, ir_const(ir->t_i64, 63), "shift");
    LLVMValueRef v_bits = ir_const(ir->t_i64, plan->bits);
    LLVMValueRef v_shifted = LLVMBuildLShr(ir->builder, v_bits, v_shift, "shifted");
    LLVMValueRef v_bit = LLVMBuildAnd(ir->builder, v_shifted, ir_const(ir->t_i64, 1), "bit");
    return (emit_comparison){LLVMIntNE, v_bit, ir_const(ir->t_i64, 0)};
}

static emit_comparison compare_first_immediate(const ir *ir, const emit_site *site) {
    return compare_immediate_bit(ir, site, site->v_index);
}

static emit_comparison compare_last_immediate(const ir *ir, const emit_site *site) {
    return compare_immediate_bit(ir, site, last_byte(ir, site));
}

static emit_comparison compare_granule(const ir *ir, const emit_site *site, LLVMValueRef v_byte) {
    return site->plan->check == MF_CHECK_GRANULE_TABLE ? compare_byte(ir, site, v_byte)
                                                       : compare_bit(ir, site, v_byte);
}

static emit_comparison compare_first_granule(const ir *ir, const emit_site *site) {
    return compare_granule(ir, site, first_byte(ir, site));
}

static emit_comparison compare_last_granule(const ir *ir, const emit_site *site) {
    return compare_granule(ir, site, last_byte(ir, site));
}

/* ---- The steps of each check ---- */

/* A window or the space, the heap, both ends; and NULL. */
#define STEPS_MAX 5

typedef struct steps {
    check_step all[STEPS_MAX]; /* ended by NULL, like the next */
    check_step straddle[2];
} steps;

static steps steps_of_heap(const mf_plan *plan) {
    if (plan->window_count == 1)
        return (steps){.all = {compare_heap}};
    if (plan->windows[1].start < plan->windows[0].start)
        return (steps){.all = {compare_outer_below_heap, compare_hole_below_heap}};
    return (steps){.all = {compare_outer, compare_hole_above_heap}};
}

/*
 * A mask is made from all that was compared, so there the lookup of the last byte is a step like any other. A
 * 32-bit address runs off the space only where it straddles.
 */
static steps steps_of_lookup(const emit_site *site, check_step first, check_step last) {
    steps made = {0};
    unsigned count = 0;
    bool may_straddle = site->info->width_bytes > 1;
    bool is_immediate = site->plan->check == MF_CHECK_IMMEDIATE_BITMAP;
    bool is_constant = site->plan->check != MF_CHECK_PAGE_TABLE && !is_immediate;
    bool is_bounded = is_constant && (site->v_address == NULL || (may_straddle && is_masked(site)));
    if (is_immediate)
        made.all[count++] = compare_window;
    if (is_bounded)
        made.all[count++] = compare_space;
    if (site->plan->growth_end != 0)
        made.all[count++] = compare_growth;
    made.all[count++] = first;
    if (may_straddle && is_masked(site))
        made.all[count++] = last;
    else if (may_straddle && is_constant && !is_bounded)
        made.straddle[0] = compare_space;
    if (may_straddle && !is_masked(site))
        made.straddle[made.straddle[0] != NULL] = last;
    return made;
}

static steps steps_of(const emit_site *site) {
    switch (site->plan->check) {
    case MF_CHECK_BOUND:
    case MF_CHECK_WINDOW:
        return (steps){.all = {compare_window}};
    case MF_CHECK_TWO_WINDOWS:
        return (steps){.all = {compare_outer, compare_hole}};
    case MF_CHECK_HEAP:
        return steps_of_heap(site->plan);
    case MF_CHECK_IMMEDIATE_BITMAP:
        return steps_of_lookup(site, compare_first_immediate, compare_last_immediate);
    case MF_CHECK_GRANULE_TABLE:
    case MF_CHECK_GRANULE_BITMAP:
        return steps_of_lookup(site, compare_first_granule, compare_last_granule);
    case MF_CHECK_PAGE_TABLE:
        return steps_of_lookup(site, compare_first_page, compare_last_page);
    case MF_CHECK_ALWAYS_FAULT:
    case MF_CHECK_ALWAYS_ALLOWED:
    case MF_CHECK_PAGED:
        break;
    }
    assert(false && "a plan without a comparison");
    return (steps){0};
}

/* ---- Branches ---- */

static LLVMValueRef comparison_holds(const ir *ir, const emit_comparison *comparison) {
    return LLVMBuildICmp(ir->builder, comparison->predicate, comparison->v_left, comparison->v_right, "ok");
}

/* Goes on to `b_good` if the step holds. */
static emit_comparison branch_step(const ir *ir, const emit_site *site, check_step step,
                                   LLVMBasicBlockRef b_good, LLVMBasicBlockRef b_fault) {
    emit_comparison comparison = step(ir, site);
    LLVMValueRef v_ok = comparison_holds(ir, &comparison);
    ir_branch_likely(ir, v_ok, b_good, b_fault);
    return comparison;
}

/*
 * index mod granule <= granule - width. Where LLVM knows the low bits of the index, as it does of an aligned
 * one, it knows the answer.
 */
static LLVMValueRef is_inside_granule(const ir *ir, const emit_site *site) {
    bool is_constant = site->plan->check != MF_CHECK_PAGE_TABLE;
    uint64_t granule_bytes = UINT64_C(1) << (is_constant ? site->plan->granule_log2 : MF_PAGE_LOG2);
    LLVMValueRef v_first = first_byte(ir, site);
    LLVMTypeRef type = LLVMTypeOf(v_first);
    LLVMValueRef v_place = LLVMBuildAnd(ir->builder, v_first, ir_const(type, granule_bytes - 1), "place");
    LLVMValueRef v_last = ir_const(type, granule_bytes - site->info->width_bytes);
    return LLVMBuildICmp(ir->builder, LLVMIntULE, v_place, v_last, "inside");
}

static void branch_straddle(const ir *ir, const emit_site *site, const check_step straddle[2],
                            LLVMBasicBlockRef b_access, LLVMBasicBlockRef b_fault) {
    LLVMBasicBlockRef b_straddle = ir_block_follow(ir, "straddle");
    LLVMValueRef v_inside = is_inside_granule(ir, site);
    ir_branch_likely(ir, v_inside, b_access, b_straddle);
    ir_block_enter(ir, b_straddle);
    if (straddle[1] != NULL) {
        LLVMBasicBlockRef b_next = ir_block_follow(ir, "straddle.next");
        branch_step(ir, site, straddle[0], b_next, b_fault);
        ir_block_enter(ir, b_next);
    }
    branch_step(ir, site, straddle[straddle[1] != NULL ? 1 : 0], b_access, b_fault);
}

/* An access in the hot window goes straight on. */
static void branch_hot(const ir *ir, const emit_site *site, LLVMBasicBlockRef b_access) {
    const mf_plan *plan = site->plan;
    emit_comparison comparison = plan->hot_grows
                                     ? compare_growing(ir, site, plan->hot.start, plan->hot.fixed_bytes == 0)
                                     : compare_offset(ir, site, plan->hot, LLVMIntULE);
    LLVMBasicBlockRef b_other = ir_block_follow(ir, "check.other");
    LLVMValueRef v_hot = comparison_holds(ir, &comparison);
    ir_branch_weighted(ir, v_hot, b_access, b_other, plan->hot_percent);
    ir_block_enter(ir, b_other);
}

emit_check emit_check_branch(const ir *ir, const emit_site *site, LLVMBasicBlockRef b_access,
                             LLVMBasicBlockRef b_fault) {
    steps steps = steps_of(site);
    emit_check check = {0};
    if (site->plan->has_hot)
        branch_hot(ir, site, b_access);
    while (steps.all[check.count] != NULL) {
        bool is_last = steps.all[check.count + 1] == NULL && steps.straddle[0] == NULL;
        LLVMBasicBlockRef b_good = is_last ? b_access : ir_block_follow(ir, "check.next");
        check.comparisons[check.count] = branch_step(ir, site, steps.all[check.count], b_good, b_fault);
        check.count++;
        ir_block_enter(ir, b_good);
    }
    if (steps.straddle[0] != NULL) {
        branch_straddle(ir, site, steps.straddle, b_access, b_fault);
        ir_block_enter(ir, b_access);
    }
    return check;
}

/* ---- Masks ---- */

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
    for (unsigned i = 1; i < check->count; i++) {
        LLVMValueRef v_next = comparison_holds_laundered(ir, &check->comparisons[i]);
        v_ok = LLVMBuildAnd(ir->builder, v_ok, v_next, "ok");
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
