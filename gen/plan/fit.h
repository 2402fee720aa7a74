/* Which memories the accessors of some plans are exact for. */
#ifndef MEMFOLD_GEN_PLAN_FIT_H
#define MEMFOLD_GEN_PLAN_FIT_H

#include "plan/set.h"

/* What mf_accessors says of itself, for a set that is made for `layout` under `options`. */
typedef struct plan_fit {
    uint64_t layout_stamp;
    uint32_t backends;
    uint32_t policy;
} plan_fit;

plan_fit plan_fit_make(const mf_layout *layout, const mf_accessor_options *options, const plan_set *plans);

#endif
