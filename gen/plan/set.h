/* The plans of all accessors of one layout: what its code depends on, and nothing else of the layout does. */
#ifndef MEMFOLD_GEN_PLAN_SET_H
#define MEMFOLD_GEN_PLAN_SET_H

#include <memfold/plan.h>

typedef struct plan_set {
    mf_plan plans[MF_ACCESSOR_COUNT];
} plan_set;

/* Writes the plans, in the order of mf_accessor_id. Statuses as mf_plan_make. */
mf_status plan_set_make(const mf_layout *layout, const mf_accessor_options *options, plan_set *set,
                        mf_diag *diag);

/* A total order; 0 if the plans are the same. */
int plan_set_compare(const plan_set *a, const plan_set *b);

/* Three-way comparison of numbers, for orders like this one. */
static inline int plan_compare_u64(uint64_t a, uint64_t b) {
    return (a > b) - (a < b);
}

/* A total order of options; 0 if they ask for the same code. */
int plan_compare_options(const mf_accessor_options *a, const mf_accessor_options *b);

#endif
