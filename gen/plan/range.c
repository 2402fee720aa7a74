/*
 * One plan for a whole range [i, i + n), n known when the code runs. For a window [s, s + m), modulo 2^64:
 *
 *     s <= i  and  i + n <= s + m   <=>   i - s <= m  and  n <= m - (i - s)
 *
 * where the second comparison counts only if the first holds, so that its right side does not wrap. A range
 * that is not empty lies in at most one window, because windows are maximal; so two of them are asked in
 * turn. Where there are more, or where the heap may come to touch the window above it, the runtime looks at
 * the live permissions, once for the range.
 */
#include "plan/growth.h"
#include "plan/make.h"
#include "plan/steps.h"

#include <assert.h>

static mf_plan_step *add(mf_plan *plan, mf_step_kind kind) {
    assert(plan->step_count < MF_PLAN_STEPS_MAX);
    mf_plan_step *step = &plan->steps[plan->step_count++];
    *step =
        (mf_plan_step){.kind = kind, .at = MF_AT_FIRST, .on_pass = MF_EXIT_ALLOWED, .on_fail = MF_EXIT_NEXT};
    return step;
}

static void add_window(mf_plan *plan, mf_window window) {
    mf_plan_step *step = add(plan, MF_STEP_RANGE_IN_WINDOW);
    step->start = window.start;
    step->last = window.size - 1;
}

static void make_perms(const mf_layout *layout, mf_plan *plan) {
    plan_reach r = plan_reach_make(layout, (mf_operation)plan->operation);
    bool is_windows = r.grows ? r.window_count <= 1 && !r.touches_above : r.window_count <= 2;
    if (!is_windows) {
        add(plan, MF_STEP_RANGE_PERMISSION);
        return;
    }
    if (r.grows)
        add(plan, MF_STEP_RANGE_BELOW_HEAP_END)->start = r.fixed.start;
    for (uint32_t i = 0; i < r.window_count; i++)
        add_window(plan, r.windows[i]);
}

/* Where the highest constant window ends; 0 if there is none. */
static uint64_t end_of_windows(const mf_layout *layout, mf_operation operation) {
    uint64_t end = 0;
    mf_window window;
    while (mf_layout_window_lookup(layout, operation, end, &window))
        end = window.start + window.size;
    return end;
}

/*
 * An empty range passes up to the end of the highest page that is accessible: of the constant windows, or the
 * live heap end if the heap has a page. What is left of the empty ones is refused, and the other steps see
 * none. Under the policy bounds all below the limit is accessible.
 */
static void add_empty_within(const mf_layout *layout, mf_policy policy, mf_plan *plan) {
    mf_operation operation = (mf_operation)plan->operation;
    bool is_bounds = policy == MF_POLICY_BOUNDS;
    mf_window growth = plan_heap_growth(layout);
    add(plan, MF_STEP_EMPTY_UP_TO)->last =
        is_bounds ? plan_bounds_limit(layout) : end_of_windows(layout, operation);
    if (!is_bounds && growth.size > 0)
        add(plan, MF_STEP_EMPTY_IN_HEAP)->start = growth.start;
    add(plan, MF_STEP_IS_EMPTY)->on_pass = MF_EXIT_FAULT;
}

static void make_bounds(const mf_layout *layout, mf_plan *plan) {
    plan->limit = plan_bounds_limit(layout);
    if (plan->limit > 0)
        add_window(plan, (mf_window){0, plan->limit});
}

mf_status mf_plan_make_range(const mf_layout *layout, mf_operation operation,
                             const mf_accessor_options *options, mf_plan *plan, mf_diag *diag) {
    static const mf_accessor_options DEFAULT_OPTIONS;
    mf_plan made = {.accessor = MF_ACCESSOR_COUNT,
                    .operation = operation,
                    .check = MF_CHECK_RANGE,
                    .index = MF_INDEX_U33};
    if (options == NULL)
        options = &DEFAULT_OPTIONS;
    mf_status status = mf_accessor_options_validate(options, diag);
    if (status != MF_OK)
        return status;
    if (operation != MF_LOAD && operation != MF_STORE)
        return mf_diag_set(diag, MF_INVALID_ARGUMENT, (uint32_t)operation, "there is no operation %d",
                           (int)operation);
    if (options->policy == MF_POLICY_NONE) {
        made.check = MF_CHECK_ALWAYS_ALLOWED;
        plan_add_always(&made, MF_EXIT_ALLOWED);
        *plan = made;
        return MF_OK;
    }
    if (options->empty_range == MF_EMPTY_WITHIN)
        add_empty_within(layout, options->policy, &made);
    else
        add(&made, MF_STEP_IS_EMPTY);
    if (options->policy == MF_POLICY_BOUNDS)
        make_bounds(layout, &made);
    else
        make_perms(layout, &made);
    made.steps[made.step_count - 1].on_fail = MF_EXIT_FAULT;
    *plan = made;
    return MF_OK;
}
