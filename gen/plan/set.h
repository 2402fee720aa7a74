/* The plans of all accessors of one layout: what its code depends on, and nothing else of the layout does. */
#ifndef MEMFOLD_GEN_PLAN_SET_H
#define MEMFOLD_GEN_PLAN_SET_H

#include "plan/tables.h"

typedef struct plan_set {
    mf_plan plans[MF_ACCESSOR_COUNT];
    plan_table tables[2]; /* by mf_operation */
} plan_set;

/*
 * Writes the plans, in the order of mf_accessor_id. Statuses as mf_plan_make, and MF_OUT_OF_MEMORY; then
 * there is nothing to be freed by fini.
 */
mf_status plan_set_make(const mf_layout *layout, const mf_accessor_options *options, plan_set *set,
                        mf_diag *diag);
void plan_set_fini(plan_set *set);

/* A total order; 0 if the plans are the same. */
int plan_set_compare(const plan_set *a, const plan_set *b);

/* A total order of options; 0 if they ask for the same code. */
int plan_compare_options(const mf_accessor_options *a, const mf_accessor_options *b);

#endif
