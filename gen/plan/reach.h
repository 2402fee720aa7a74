/* Where one operation may go, as far as the choice of a check depends on it. */
#ifndef MEMFOLD_GEN_PLAN_REACH_H
#define MEMFOLD_GEN_PLAN_REACH_H

#include "plan/granules.h"

typedef struct plan_reach {
    uint32_t window_count; /* constant windows, those joined to the heap left out; 3 means 3 or more */
    mf_window windows[3];
    bool grows;      /* the heap can grow */
    mf_window fixed; /* the constant part of the growing window: size 0 or >= 4096, ends at the heap's base */
    uint64_t growth_end;
    bool touches_above; /* a constant window begins there */
    plan_spread spread;
} plan_reach;

plan_reach plan_reach_make(const mf_layout *layout, mf_operation operation);

/* As mf_plan_make, with options that are valid and the reach of the accessor's operation. */
mf_status plan_make_within(const mf_layout *layout, const plan_reach *reach, mf_accessor_id id,
                           const mf_accessor_options *options, mf_plan *plan, mf_diag *diag);

#endif
