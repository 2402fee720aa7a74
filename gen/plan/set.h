/* The plans of all accessors of one layout: what its code depends on, and nothing else of the layout does. */
#ifndef MEMFOLD_GEN_PLAN_SET_H
#define MEMFOLD_GEN_PLAN_SET_H

#include <memfold/plan.h>

/* The constant data of an operation's plans; no bytes if they have none. */
typedef struct plan_table {
    uint8_t *bytes;
    size_t byte_count;
} plan_table;

typedef struct plan_set {
    mf_plan plans[MF_ACCESSOR_COUNT];
    plan_table tables[2]; /* by mf_operation */
} plan_set;

/* Writes the table of `plan`, to be freed by the caller. MF_OUT_OF_MEMORY. */
mf_status plan_table_make(const mf_layout *layout, const mf_plan *plan, plan_table *table, mf_diag *diag);

/* 0 if the tables are the same. */
int plan_table_compare(const plan_table *a, const plan_table *b);

/*
 * Writes the plans, in the order of mf_accessor_id. Statuses as mf_plan_make, and MF_OUT_OF_MEMORY; then
 * there is nothing to be freed by fini.
 */
mf_status plan_set_make(const mf_layout *layout, const mf_accessor_options *options, plan_set *set,
                        mf_diag *diag);
void plan_set_fini(plan_set *set);

/* A total order; 0 if the plans are the same. */
int plan_set_compare(const plan_set *a, const plan_set *b);

/* Three-way comparison of numbers, for orders like this one. */
static inline int plan_compare_u64(uint64_t a, uint64_t b) {
    return (a > b) - (a < b);
}

/* A total order of options; 0 if they ask for the same code. */
int plan_compare_options(const mf_accessor_options *a, const mf_accessor_options *b);

#endif
