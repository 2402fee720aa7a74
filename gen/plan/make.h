/* Plans of many accessors with one look at the layout. */
#ifndef MEMFOLD_GEN_PLAN_MAKE_H
#define MEMFOLD_GEN_PLAN_MAKE_H

#include "plan/reach.h"

#include <memfold/plan.h>

/* As mf_plan_make, with options that are valid and the reach of the accessor's operation. */
mf_status plan_make_within(const mf_layout *layout, const plan_reach *reach, mf_accessor_id id,
                           const mf_accessor_options *options, mf_plan *plan, mf_diag *diag);

/* As mf_plan_make_access, in the same way. */
mf_status plan_make_access_within(const mf_layout *layout, const plan_reach *reach,
                                  const mf_plan_access *access, const mf_accessor_options *options,
                                  mf_plan *plan, mf_diag *diag);

/* MF_INVALID_ARGUMENT unless there is such an operation and such a width. */
mf_status plan_access_validate(mf_operation operation, uint32_t width_bytes, mf_diag *diag);

/* Where the bounds policy lets accesses end: at the highest region, or at the heap's maximum above it. */
uint64_t plan_bounds_limit(const mf_layout *layout);

#endif
