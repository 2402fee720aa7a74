/* A plan at one index that is known beforehand. */
#include "plan/growth.h"

#include <memfold/plan.h>

static bool inside(mf_window window, uint64_t first, uint64_t end) {
    return window.start <= first && end <= window.start + window.size;
}

/*
 * The access touches [first, end). It is allowed whatever sbrk does if it lies in one window; it can become
 * allowed only if each page of it is in a window or in the heap's growth. Two pages at most are touched, so
 * it is enough to look at the first and the last byte.
 */
static bool may_become_accessible(const mf_layout *layout, mf_operation operation, uint64_t index) {
    mf_window growth = plan_heap_growth(layout);
    mf_window window;
    if (index >= growth.start && index < growth.start + growth.size)
        return true;
    return mf_layout_window_lookup(layout, operation, index, &window) && window.start <= index;
}

static mf_decision decide_perms(const mf_layout *layout, const mf_accessor_info *info, uint64_t index) {
    uint64_t end = index + info->width_bytes;
    mf_window window;
    if (mf_layout_window_lookup(layout, info->operation, index, &window) && inside(window, index, end))
        return MF_DECIDED_ALLOWED;
    bool possible = may_become_accessible(layout, info->operation, index) &&
                    may_become_accessible(layout, info->operation, end - 1);
    return possible ? MF_DECIDED_LIVE : MF_DECIDED_FAULT;
}

mf_decision mf_plan_decide(const mf_layout *layout, const mf_plan *plan, uint64_t index) {
    if (plan->check == MF_CHECK_ALWAYS_ALLOWED)
        return MF_DECIDED_ALLOWED;
    if (plan->check == MF_CHECK_ALWAYS_FAULT)
        return MF_DECIDED_FAULT;
    if (plan->limit != 0)
        return index <= plan->windows[0].last ? MF_DECIDED_ALLOWED : MF_DECIDED_FAULT;
    return decide_perms(layout, mf_accessor_info_get(plan->accessor), index);
}
