/* The decider: which check an access needs. Its steps and their proofs stand in steps.c. */
#include "plan/make.h"

#include "plan/cost.h"
#include "plan/steps.h"
#include "plan/strategy.h"

static const mf_accessor_options DEFAULT_OPTIONS;

/* What one plan is made from. */
typedef struct maker {
    const mf_layout *layout;
    const plan_reach *reach;
    const mf_accessor_options *options;
    mf_plan *plan;
} maker;

static bool masks(const maker *m) {
    return m->options->spectre == MF_SPECTRE_MASK;
}

/* ---- The strategies ---- */

static void make_window(const maker *m) {
    mf_window window = m->reach->windows[0];
    m->plan->check = window.start == 0 ? MF_CHECK_BOUND : MF_CHECK_WINDOW;
    if (window.start == 0)
        plan_add_bound(m->plan, window.size);
    else
        plan_add_window(m->plan, window);
}

/* Where one operation has one window the strategy can still be forced for the whole set. */
static void make_two_windows(const maker *m) {
    const plan_reach *r = m->reach;
    m->plan->check = MF_CHECK_TWO_WINDOWS;
    if (r->window_count == 1)
        plan_add_window(m->plan, r->windows[0]);
    else
        plan_add_two_windows(m->plan, r->windows[0], r->windows[1]);
}

static void make_strategy(const maker *m, mf_strategy strategy) {
    switch (strategy) {
    case MF_STRATEGY_WINDOW:
        make_window(m);
        break;
    case MF_STRATEGY_TWO_WINDOWS:
        make_two_windows(m);
        break;
    case MF_STRATEGY_HEAP:
        m->plan->check = MF_CHECK_HEAP;
        plan_add_heap(m->plan, m->reach);
        break;
    case MF_STRATEGY_IMMEDIATE_BITMAP:
        m->plan->check = MF_CHECK_IMMEDIATE_BITMAP;
        plan_add_immediate_bitmap(m->plan, m->reach, masks(m));
        break;
    case MF_STRATEGY_GRANULE_TABLE:
        m->plan->check = MF_CHECK_GRANULE_TABLE;
        plan_add_granules(m->plan, m->reach, MF_STEP_TABLE_BYTE, masks(m));
        break;
    case MF_STRATEGY_GRANULE_BITMAP:
        m->plan->check = MF_CHECK_GRANULE_BITMAP;
        plan_add_granules(m->plan, m->reach, MF_STEP_TABLE_BIT, masks(m));
        break;
    case MF_STRATEGY_AUTO:
    case MF_STRATEGY_PERM_TABLE:
        m->plan->check = MF_CHECK_PERM_TABLE;
        plan_add_permissions(m->plan, masks(m));
        break;
    }
}

/* ---- Around them ---- */

/* The heap's growing window, or the constant one that holds the hot address, if there is one. */
static void make_hot(const maker *m, mf_strategy strategy) {
    const plan_reach *r = m->reach;
    uint64_t address = m->options->hot_address;
    uint32_t percent = m->options->hot_percent;
    mf_window window;
    bool pays = plan_cost_hot(strategy, r, percent) < plan_cost(strategy, r);
    if (!pays || percent == 0 || masks(m))
        return;
    if (r->grows && r->fixed.start <= address && address < r->growth_end)
        plan_add_hot_heap(m->plan, r, percent);
    else if (mf_layout_window_lookup(m->layout, (mf_operation)m->plan->operation, address, &window) &&
             window.start <= address)
        plan_add_hot_window(m->plan, window, percent);
}

/* Where a mispredicted access goes: the first byte that the operation may touch, or 0 by a table in memory.
 */
static uint64_t mask_start(const maker *m) {
    bool reads_table = mf_plan_has_step(m->plan, MF_STEP_TABLE_BYTE) ||
                       mf_plan_has_step(m->plan, MF_STEP_TABLE_BIT) ||
                       mf_plan_has_step(m->plan, MF_STEP_PERMISSION);
    return reads_table ? 0 : plan_reach_start(m->reach);
}

/* An access that is compared with anything gets its mask, and then it is allowed. */
static void finish(const maker *m, uint64_t start) {
    const mf_plan *plan = m->plan;
    bool compares = plan->steps[plan->step_count - 1].kind != MF_STEP_ALWAYS;
    if (compares && masks(m))
        plan_add_mask(m->plan, start);
    if (compares)
        plan_allow(m->plan);
    else if (plan->steps[plan->step_count - 1].on_pass == MF_EXIT_ALLOWED)
        m->plan->check = MF_CHECK_ALWAYS_ALLOWED;
    else
        m->plan->check = MF_CHECK_ALWAYS_FAULT;
}

/* ---- The backends and policies ---- */

/* A byte at a 32-bit address cannot miss a window that is the whole space; all else the MMU answers. */
static void make_paged(const maker *m) {
    const plan_reach *r = m->reach;
    const mf_plan *plan = m->plan;
    bool is_whole = r->window_count == 1 && r->windows[0].size == MF_SPACE_BYTES;
    if (is_whole && plan->width_bytes == 1 && plan->index == MF_INDEX_U32) {
        plan_add_always(m->plan, MF_EXIT_ALLOWED);
        m->plan->check = MF_CHECK_ALWAYS_ALLOWED;
        return;
    }
    m->plan->check = MF_CHECK_PAGED;
    plan_add_mmu(m->plan, m->options->on_fault == MF_ON_FAULT_TRAP);
    plan_allow(m->plan);
}

static void make_copy(const maker *m) {
    mf_strategy strategy = m->options->strategy;
    if (strategy == MF_STRATEGY_AUTO)
        strategy = plan_strategy_choose(m->reach);
    make_hot(m, strategy);
    make_strategy(m, strategy);
    finish(m, mask_start(m));
}

static mf_status make_perms(const maker *m, mf_diag *diag) {
    const mf_accessor_info *info = mf_accessor_info_get((mf_accessor_id)m->plan->accessor);
    const char *refusal = plan_strategy_refusal(m->options->strategy, m->reach);
    if (refusal != NULL)
        return mf_diag_set(diag, MF_INEXACT_STRATEGY, (uint64_t)m->options->strategy,
                           "the strategy is not exact for %s: %s", info->name, refusal);
    if (plan_reach_is_empty(m->reach)) {
        plan_add_always(m->plan, MF_EXIT_FAULT);
        m->plan->check = MF_CHECK_ALWAYS_FAULT;
    } else if (m->options->backend == MF_BACKEND_X86_PAGED) {
        make_paged(m);
    } else {
        make_copy(m);
    }
    return MF_OK;
}

uint64_t plan_bounds_limit(const mf_layout *layout) {
    mf_heap heap = mf_layout_heap(layout);
    uint64_t heap_max = heap.max_pages == 0 ? 0 : heap.base + (uint64_t)heap.max_pages * MF_PAGE_SIZE;
    uint64_t len = mf_layout_len(layout);
    return len > heap_max ? len : heap_max;
}

/* Permissions are ignored: everything below the limit is accessible. */
static void make_bounds(const maker *m) {
    m->plan->check = MF_CHECK_BOUND;
    m->plan->limit = plan_bounds_limit(m->layout);
    plan_add_bound(m->plan, m->plan->limit);
    finish(m, 0);
}

mf_status plan_make_within(const mf_layout *layout, const plan_reach *reach, mf_accessor_id id,
                           const mf_accessor_options *options, mf_plan *plan, mf_diag *diag) {
    const mf_accessor_info *info = mf_accessor_info_get(id);
    mf_plan made = {.accessor = id,
                    .operation = info->operation,
                    .width_bytes = info->width_bytes,
                    .check = MF_CHECK_ALWAYS_ALLOWED,
                    .index = options->index};
    maker m = {layout, reach, options, &made};
    mf_status status = MF_OK;
    if (options->stale == MF_STALE_CHECK)
        plan_add_same_layout(&made, MF_LAYOUT_STAMP(mf_layout_fingerprint(layout), options->backend));
    if (options->policy == MF_POLICY_PERMS)
        status = make_perms(&m, diag);
    else if (options->policy == MF_POLICY_BOUNDS)
        make_bounds(&m);
    else
        plan_add_always(&made, MF_EXIT_ALLOWED);
    if (status == MF_OK)
        *plan = made;
    return status;
}

mf_status mf_plan_make(const mf_layout *layout, mf_accessor_id id, const mf_accessor_options *options,
                       mf_plan *plan, mf_diag *diag) {
    if (options == NULL)
        options = &DEFAULT_OPTIONS;
    mf_status status = mf_accessor_options_validate(options, diag);
    if (status != MF_OK)
        return status;
    const mf_accessor_info *info = mf_accessor_info_get(id);
    if (info == NULL)
        return mf_diag_set(diag, MF_INVALID_ARGUMENT, (uint32_t)id, "there is no accessor %d", (int)id);
    plan_reach reach = plan_reach_make(layout, info->operation);
    return plan_make_within(layout, &reach, id, options, plan, diag);
}
