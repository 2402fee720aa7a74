/* Whether accessors fit a memory: what a set says of itself, and the answer before there is code. */
#include "plan/fit.h"

#include "plan/steps.h"

static bool is_for_any_layout(const plan_set *plans) {
    for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++)
        if (!plan_asks_memory_only(&plans->plans[id]))
            return false;
    return true;
}

/*
 * Under the policy none nothing is asked, so nothing can be seen to be wrong: every layout fits. Code that
 * compares its layout with the memory's (stale = check) fits no other, unless it is exact for all of them.
 */
plan_fit plan_fit_make(const mf_layout *layout, const mf_accessor_options *options, const plan_set *plans) {
    bool asks_nothing = options->policy == MF_POLICY_NONE && options->stale == MF_STALE_TRUST;
    bool any = asks_nothing || is_for_any_layout(plans);
    uint64_t stamp = MF_LAYOUT_STAMP(mf_layout_fingerprint(layout), options->backend);
    uint32_t backends = MF_ACCESSORS_SERVE(options->backend);
    if (options->index == MF_INDEX_U32)
        backends |= MF_ACCESSORS_SERVE_U32(options->backend);
    return (plan_fit){any ? 0 : stamp, backends, options->policy};
}

/* Equal plans give equal answers, whatever else the layouts differ in. */
static mf_status plans_agree(const mf_layout *layout, mf_memory *memory, const mf_accessor_options *options,
                             bool *agree, mf_diag *diag) {
    mf_layout *live;
    plan_set made;
    plan_set wanted;
    mf_status status = mf_memory_layout(memory, &live, diag);
    if (status != MF_OK)
        return status;
    status = plan_set_make(layout, options, &made, diag);
    if (status == MF_OK) {
        status = plan_set_make(live, options, &wanted, diag);
        if (status == MF_OK) {
            *agree = plan_set_compare(&made, &wanted) == 0 ||
                     plan_fit_make(layout, options, &made).layout_stamp == 0;
            plan_set_fini(&wanted);
        } else if (status == MF_INEXACT_STRATEGY) {
            *agree = false;
            status = MF_OK;
        }
        plan_set_fini(&made);
    }
    mf_layout_release(live);
    return status;
}

mf_status mf_accessors_cover(const mf_layout *layout, const mf_accessor_options *options, mf_memory *memory,
                             bool *cover, mf_diag *diag) {
    static const mf_accessor_options DEFAULT_OPTIONS;
    if (options == NULL)
        options = &DEFAULT_OPTIONS;
    mf_status status = mf_accessor_options_validate(options, diag);
    if (status != MF_OK)
        return status;
    bool is_refused = options->index == MF_INDEX_U33 && mf_memory_index_of(memory) == MF_MEMORY_U32;
    if (options->backend != mf_memory_backend(memory) || is_refused) {
        *cover = false;
        return MF_OK;
    }
    return plans_agree(layout, memory, options, cover, diag);
}
