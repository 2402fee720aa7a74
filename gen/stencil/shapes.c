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

/* With 32-bit addresses windows are compared modulo 2^32. */
static bool is_wide(const mf_plan *plan, const mf_plan_step *step) {
    switch (step->kind) {
    case MF_STEP_IN_WINDOW:
    case MF_STEP_NOT_IN_HOLE:
        return plan->index == MF_INDEX_U33 && !is_small(step->start, step->last);
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

bool check_shape_has_wide(const mf_plan *plan) {
    for (uint32_t i = shape_first_step(plan); i < plan->step_count; i++) {
        mf_plan_step far = plan->steps[i];
        if (far.kind == MF_STEP_MASK && far.start == 0)
            continue;
        far.start = MF_SPACE_BYTES - MF_PAGE_SIZE;
        far.last = MF_SPACE_BYTES - MF_PAGE_SIZE;
        if (is_wide(plan, &far))
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
        variant |= is_wide(plan, step) ? CHECK_WIDE : 0;
        if (step->kind == MF_STEP_PERMISSION && plan->operation == MF_STORE)
            variant |= CHECK_STORE;
    }
    *shape = (check_shape){steps, variant};
    return true;
}

/* ---- Stamps, accesses, faults ---- */

shape_base shape_base_of(const mf_accessor_options *options) {
    if (options->base == MF_BASE_VIEW)
        return SHAPE_BASE_VIEW;
    if (options->base == MF_BASE_ARGUMENT)
        return SHAPE_BASE_ARGUMENT;
    if (options->base_address == 0)
        return SHAPE_BASE_ZERO;
    return options->base_address <= INT32_MAX ? SHAPE_BASE_SMALL : SHAPE_BASE_WIDE;
}

uint32_t shape_stamp(const mf_plan_step *step) {
    return step->kind == MF_STEP_SAME_LAYOUT ? 0 : 1 + (uint32_t)step->start;
}

/* A byte has no order. */
static uint32_t endian_of(mf_accessor_id id, const mf_accessor_options *options) {
    bool has_order = mf_accessor_info_get(id)->width_bytes > 1;
    return has_order && options->endian == MF_BIG_ENDIAN ? 1 : 0;
}

static uint32_t is_trap(const mf_accessor_options *options) {
    return options->on_fault == MF_ON_FAULT_TRAP ? 1 : 0;
}

uint32_t shape_plain(mf_accessor_id id, const mf_accessor_options *options, shape_base base, mf_index index) {
    uint32_t place = ((id * 2u + endian_of(id, options)) * 2 + is_trap(options)) * SHAPE_BASE_COUNT + base;
    return SHAPE_STAMP_COUNT + place * 2 + (index == MF_INDEX_U33);
}

uint32_t shape_paged(mf_accessor_id id, const mf_accessor_options *options, shape_base base) {
    shape_mmu mmu = !is_trap(options)                  ? SHAPE_MMU_RETURN
                    : options->order == MF_ORDER_GUEST ? SHAPE_MMU_TRAP_GUEST
                                                       : SHAPE_MMU_TRAP;
    uint32_t place = ((id * 2u + endian_of(id, options)) * SHAPE_MMU_COUNT + mmu) * SHAPE_BASE_COUNT + base;
    return SHAPE_STAMP_COUNT + SHAPE_PLAIN_COUNT + place * 2 + (options->index == MF_INDEX_U33);
}

uint32_t shape_fault(mf_accessor_id id, const mf_accessor_options *options, bool has_limit) {
    uint32_t place = ((id * 2u + is_trap(options)) * 2 + (options->base == MF_BASE_ARGUMENT)) * 2 + has_limit;
    return SHAPE_STAMP_COUNT + SHAPE_PLAIN_COUNT + SHAPE_PAGED_COUNT + place * 2 +
           (options->index == MF_INDEX_U33);
}
