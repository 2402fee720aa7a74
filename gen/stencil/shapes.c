#include "stencil/shapes.h"

uint32_t shape_first_step(const mf_plan *plan) {
    uint32_t kind = plan->steps[0].kind;
    return kind == MF_STEP_SAME_LAYOUT || kind == MF_STEP_SAME_BACKEND ? 1 : 0;
}

/* ---- Checks ---- */

/* Steps that compare, and the mask; each has a number of its own below 32, none of them 0. */
static bool is_known(uint32_t kind) {
    return (kind >= MF_STEP_IN_WINDOW && kind <= MF_STEP_MASK) && kind < 32;
}

MF_STATIC_ASSERT(MF_STEP_IN_WINDOW > 0 && MF_STEP_MASK < 32, "a step's kind takes five bits");

/* Where the code of a step differs: there is nothing to subtract, or the byte that it looks at is another one
 * than the first. */
static uint32_t side_of(const mf_plan *plan, const mf_plan_step *step) {
    if (step->kind == MF_STEP_IN_WINDOW || step->kind == MF_STEP_MASK)
        return step->start == 0;
    return step->at == MF_AT_LAST && plan->width_bytes > 1;
}

/* The pairs of exits that the planner makes; 3: another. */
static uint32_t exits_of(const mf_plan_step *step) {
    if (step->on_pass == MF_EXIT_NEXT && step->on_fail == MF_EXIT_FAULT)
        return 0;
    if (step->on_pass == MF_EXIT_ALLOWED && step->on_fail == MF_EXIT_NEXT)
        return 1;
    return step->on_pass == MF_EXIT_ALLOWED && step->on_fail == MF_EXIT_FAULT ? 2 : 3;
}

/* A start is subtracted: -2^31 is a SIGNED_32. */
static bool is_small(uint64_t minus, uint64_t number) {
    return minus <= UINT64_C(1) << 31 && number <= INT32_MAX;
}

static bool is_wide(const mf_plan_step *step) {
    switch (step->kind) {
    case MF_STEP_IN_WINDOW:
    case MF_STEP_NOT_IN_HOLE:
    case MF_STEP_BELOW_HEAP_END:
    case MF_STEP_IN_HEAP:
        return !is_small(step->start, step->last);
    case MF_STEP_NOT_IN_GROWTH:
        return !is_small(0, step->last + 1);
    case MF_STEP_IMMEDIATE_BIT:
        return !is_small(step->start, 0);
    case MF_STEP_MASK:
        return !is_small(step->start, step->start);
    default:
        return false;
    }
}

/* A mask's place is where the lowest window starts, and so where a heap does that is the first to be asked.
 */
static bool is_heap_at_0(const mf_plan *plan, const mf_plan_step *step) {
    const mf_plan_step *last = &plan->steps[plan->step_count - 1];
    return (step->kind == MF_STEP_BELOW_HEAP_END || step->kind == MF_STEP_IN_HEAP) &&
           last->kind == MF_STEP_MASK && last->start == 0;
}

bool check_shape_has_wide(const mf_plan *plan) {
    for (uint32_t i = shape_first_step(plan); i < plan->step_count; i++) {
        mf_plan_step far = plan->steps[i];
        if ((far.kind == MF_STEP_MASK && far.start == 0) || is_heap_at_0(plan, &far))
            continue;
        far.start = MF_SPACE_BYTES - MF_PAGE_SIZE;
        far.last = MF_SPACE_BYTES - MF_PAGE_SIZE;
        if (is_wide(&far))
            return true;
    }
    return false;
}

bool check_shape_make(const mf_plan *plan, const mf_accessor_options *options, check_shape *shape) {
    uint32_t first = shape_first_step(plan);
    uint32_t variant =
        (plan->index == MF_INDEX_U33 ? CHECK_U33 : 0) | (options->base == MF_BASE_ARGUMENT ? CHECK_BASE : 0);
    uint64_t steps = 0;
    for (uint32_t i = first; i < plan->step_count; i++) {
        const mf_plan_step *step = &plan->steps[i];
        uint32_t exits = exits_of(step);
        if (!is_known(step->kind) || exits == 3)
            return false;
        steps |= (uint64_t)(step->kind | side_of(plan, step) << 5 | exits << 6) << 8 * (i - first);
        variant |= is_wide(step) ? CHECK_WIDE : 0;
        if (step->kind == MF_STEP_PERMISSION && plan->operation == MF_STORE)
            variant |= CHECK_STORE;
    }
    *shape = (check_shape){steps, variant};
    return true;
}

/* ---- Stamps, accesses, faults ---- */

static shape_base base_of(const mf_accessor_options *options) {
    if (options->base == MF_BASE_VIEW)
        return SHAPE_BASE_VIEW;
    if (options->base == MF_BASE_ARGUMENT)
        return SHAPE_BASE_ARGUMENT;
    if (options->base_address == 0)
        return SHAPE_BASE_ZERO;
    return options->base_address <= INT32_MAX ? SHAPE_BASE_SMALL : SHAPE_BASE_WIDE;
}

shape_way shape_way_of(const mf_accessor_options *options) {
    bool traps = options->on_fault == MF_ON_FAULT_TRAP;
    return (shape_way){.base = base_of(options),
                       .mmu = !traps                             ? SHAPE_MMU_RETURN
                              : options->order == MF_ORDER_GUEST ? SHAPE_MMU_TRAP_GUEST
                                                                 : SHAPE_MMU_TRAP,
                       .is_big_endian = options->endian == MF_BIG_ENDIAN,
                       .traps = traps,
                       .is_u33 = options->index == MF_INDEX_U33,
                       .has_base = options->base == MF_BASE_ARGUMENT};
}

uint32_t shape_stamp(const mf_plan *plan) {
    const mf_plan_step *step = &plan->steps[0];
    uint32_t place = step->kind == MF_STEP_SAME_LAYOUT ? 0 : 1 + (uint32_t)step->start;
    return place * 2 + (plan->index == MF_INDEX_U33);
}
