/* The decider: which check an access needs. Its steps and their proofs stand in steps.c. */
#include "plan/make.h"

#include "plan/cost.h"
#include "plan/steps.h"
#include "plan/print.h"
#include "plan/strategy.h"

#include <inttypes.h>

static const mf_accessor_options DEFAULT_OPTIONS;

/* What one plan is made from. */
typedef struct maker {
    const mf_layout *layout;
    bool in_software;
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
    case MF_STRATEGY_FEW_WINDOWS:
    case MF_STRATEGY_IN_TURN: /* masked: a mask is made of comparisons that all hold */
        m->plan->check = MF_CHECK_FEW_WINDOWS;
        plan_add_few_windows(m->plan, m->reach);
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

/* ---- Hints ---- */

/* The window of the hint, if the operation has it among others. */
typedef struct hot {
    bool is_known;
    bool grows; /* it is the heap's growing window */
    mf_window window;
} hot;

/* A single window is asked for anyhow, and a mask is made of comparisons that all hold. */
static hot find_hot(const maker *m) {
    const plan_reach *r = m->reach;
    uint64_t address = m->options->hot_address;
    hot found = {0};
    if (m->options->hot_percent == 0 || masks(m) || plan_reach_count(r) < 2)
        return found;
    found.grows = r->grows && r->fixed.start <= address && address < r->growth_end;
    found.is_known = found.grows || (mf_layout_window_lookup(m->layout, (mf_operation)m->plan->operation,
                                                             address, &found.window) &&
                                     found.window.start <= address);
    return found;
}

static void add_hot(const maker *m, const hot *h) {
    if (h->grows)
        plan_add_allowed_heap(m->plan, m->reach, m->options->hot_percent);
    else if (h->is_known)
        plan_add_allowed_window(m->plan, h->window, m->options->hot_percent);
}

/* Of the windows that no hint is about nobody knows how many accesses they get. */
#define PERCENT_OF_OTHERS 50

/* The hot window has been asked for; the others follow in the order of their addresses, the growing one last.
 */
static void make_in_turn(const maker *m, const hot *h) {
    const plan_reach *r = m->reach;
    m->plan->check = MF_CHECK_IN_TURN;
    for (uint32_t i = 0; i < r->window_count; i++)
        if (!h->is_known || h->grows || r->windows[i].start != h->window.start)
            plan_add_allowed_window(m->plan, r->windows[i], PERCENT_OF_OTHERS);
    if (r->grows && !h->grows)
        plan_add_allowed_heap(m->plan, r, PERCENT_OF_OTHERS);
    plan_refuse(m->plan);
}

/* ---- Around them ---- */

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

static mf_strategy strategy_of(const maker *m, const hot *h) {
    if (m->options->strategy != MF_STRATEGY_AUTO)
        return m->options->strategy;
    bool in_turn = h->is_known && plan_strategy_refusal(MF_STRATEGY_IN_TURN, m->reach) == NULL;
    return in_turn ? MF_STRATEGY_IN_TURN : m->reach->cheapest;
}

static void make_software(const maker *m) {
    hot h = find_hot(m);
    mf_strategy strategy = strategy_of(m, &h);
    add_hot(m, &h);
    if (strategy == MF_STRATEGY_IN_TURN && !masks(m))
        make_in_turn(m, &h);
    else
        make_strategy(m, strategy);
    finish(m, mask_start(m));
}

static void make_perms(const maker *m) {
    if (plan_reach_is_empty(m->reach)) {
        plan_add_always(m->plan, MF_EXIT_FAULT);
        m->plan->check = MF_CHECK_ALWAYS_FAULT;
    } else if (m->options->backend == MF_BACKEND_X86_PAGED && !m->in_software) {
        make_paged(m);
    } else {
        make_software(m);
    }
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

/* What a plan is of. */
typedef struct subject {
    mf_accessor_id accessor;
    mf_operation operation;
    uint32_t width_bytes;
} subject;

static mf_plan begin(const maker *m, const subject *s) {
    return (mf_plan){.accessor = s->accessor,
                     .operation = s->operation,
                     .width_bytes = s->width_bytes,
                     .check = MF_CHECK_ALWAYS_ALLOWED,
                     .index = m->options->index};
}

static mf_status refuse_strategy(const maker *m, const subject *s, const char *refusal, mf_diag *diag) {
    mf_plan named = begin(m, s);
    return mf_diag_set(diag, MF_INEXACT_STRATEGY, (uint64_t)m->options->strategy,
                       "the strategy is not exact for %s: %s", plan_access_name(&named), refusal);
}

/* Nothing fails once the plan has begun, so it is made where it is wanted. */
static mf_status make_steps(maker *m, const subject *s, mf_plan *plan, mf_diag *diag) {
    bool by_perms = m->options->policy == MF_POLICY_PERMS;
    const char *refusal = by_perms ? plan_strategy_refusal(m->options->strategy, m->reach) : NULL;
    if (refusal != NULL)
        return refuse_strategy(m, s, refusal, diag);
    *plan = begin(m, s);
    m->plan = plan;
    if (by_perms)
        make_perms(m);
    else if (m->options->policy == MF_POLICY_BOUNDS)
        make_bounds(m);
    else
        plan_add_always(plan, MF_EXIT_ALLOWED);
    if (m->options->stale == MF_STALE_CHECK)
        plan_begin_with_stamp(plan, m->layout, m->options->backend);
    return MF_OK;
}

mf_status plan_make_within(const mf_layout *layout, const plan_reach *reach, mf_accessor_id id,
                           const mf_accessor_options *options, mf_plan *plan, mf_diag *diag) {
    const mf_accessor_info *info = mf_accessor_info_get(id);
    subject made = {id, info->operation, info->width_bytes};
    maker m = {.layout = layout, .reach = reach, .options = options};
    return make_steps(&m, &made, plan, diag);
}

mf_status plan_make_access_within(const mf_layout *layout, const plan_reach *reach,
                                  const mf_plan_access *access, const mf_accessor_options *options,
                                  mf_plan *plan, mf_diag *diag) {
    subject made = {MF_ACCESSOR_COUNT, access->operation, access->width_bytes};
    maker m = {.layout = layout, .reach = reach, .options = options, .in_software = access->in_software};
    return make_steps(&m, &made, plan, diag);
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

mf_status plan_access_validate(mf_operation operation, uint32_t width_bytes, mf_diag *diag) {
    if (operation != MF_LOAD && operation != MF_STORE)
        return mf_diag_set(diag, MF_INVALID_ARGUMENT, (uint64_t)operation, "there is no operation %d",
                           (int)operation);
    if (width_bytes == 0 || width_bytes > MF_ACCESS_BYTES_MAX)
        return mf_diag_set(diag, MF_INVALID_ARGUMENT, width_bytes,
                           "an access has 1 to %d bytes, not %" PRIu32, MF_ACCESS_BYTES_MAX, width_bytes);
    return MF_OK;
}

mf_status mf_plan_make_access(const mf_layout *layout, const mf_plan_access *access,
                              const mf_accessor_options *options, mf_plan *plan, mf_diag *diag) {
    if (options == NULL)
        options = &DEFAULT_OPTIONS;
    mf_status status = plan_access_validate(access->operation, access->width_bytes, diag);
    if (status == MF_OK)
        status = mf_accessor_options_validate(options, diag);
    if (status != MF_OK)
        return status;
    plan_reach reach = plan_reach_make(layout, access->operation);
    return plan_make_access_within(layout, &reach, access, options, plan, diag);
}
