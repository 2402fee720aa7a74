/* What a check costs, for the choice between those that are exact. */
#ifndef MEMFOLD_GEN_PLAN_COST_H
#define MEMFOLD_GEN_PLAN_COST_H

#include "plan/reach.h"

#include <memfold/options.h>

/* Hundredths of a nanosecond that the check of `strategy` adds to one inlined access. */
uint32_t plan_cost(mf_strategy strategy, const plan_reach *reach);

#endif
