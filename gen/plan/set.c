/* The plans of a layout: made with one look at it, compared as one. */
#include "plan/set.h"

#include "plan/make.h"

#include <stdlib.h>
#include <string.h>

/* One look at the layout for all accessors of an operation. */
static mf_status make_plans(const mf_layout *layout, const mf_accessor_options *options, plan_set *made,
                            mf_diag *diag) {
    mf_status status = mf_accessor_options_validate(options, diag);
    if (status != MF_OK)
        return status;
    if (options->on_fault == MF_ON_FAULT_BRANCH)
        return mf_diag_set(
            diag, MF_INVALID_ARGUMENT, (uint64_t)options->on_fault,
            "on_fault = branch is for accesses that are emitted one by one, not for functions");
    plan_reach reaches[] = {plan_reach_make(layout, MF_LOAD), plan_reach_make(layout, MF_STORE)};
    for (mf_accessor_id id = 0; status == MF_OK && id < MF_ACCESSOR_COUNT; id++) {
        const plan_reach *reach = &reaches[mf_accessor_info_get(id)->operation];
        status = plan_make_within(layout, reach, id, options, &made->plans[id], diag);
    }
    return status;
}

mf_status plan_set_make(const mf_layout *layout, const mf_accessor_options *options, plan_set *set,
                        mf_diag *diag) {
    plan_set made = {0};
    mf_status status = make_plans(layout, options, &made, diag);
    if (status == MF_OK)
        status = plan_table_make(layout, &made.plans[MF_LOAD_U8], &made.tables[MF_LOAD], diag);
    if (status == MF_OK)
        status = plan_table_make(layout, &made.plans[MF_STORE_U8], &made.tables[MF_STORE], diag);
    if (status == MF_OK)
        *set = made;
    else
        plan_set_fini(&made);
    return status;
}

void plan_set_fini(plan_set *set) {
    free(set->tables[MF_LOAD].bytes);
    free(set->tables[MF_STORE].bytes);
    *set = (plan_set){0};
}

/* Neither plans nor steps have padding (plan.h), so what differs in any field differs in some byte. */
int plan_set_compare(const plan_set *a, const plan_set *b) {
    int order = memcmp(a->plans, b->plans, sizeof a->plans);
    for (size_t i = 0; order == 0 && i < 2; i++)
        order = plan_table_compare(&a->tables[i], &b->tables[i]);
    return order;
}

static int compare_numbers(uint64_t a, uint64_t b) {
    return (a > b) - (a < b);
}

int plan_compare_options(const mf_accessor_options *a, const mf_accessor_options *b) {
    int order = 0;
#define MF_X(ID, type, field, largest)                                                                       \
    if (order == 0)                                                                                          \
        order = compare_numbers((uint64_t)a->field, (uint64_t)b->field);
    MF_ACCESSOR_OPTIONS(MF_X)
#undef MF_X
    return order;
}
