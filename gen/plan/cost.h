/* What a check costs, for the choice between those that are exact. */
#ifndef MEMFOLD_GEN_PLAN_COST_H
#define MEMFOLD_GEN_PLAN_COST_H

#include "plan/reach.h"

#include <memfold/options.h>

/* Hundredths of a nanosecond that the check of `strategy` adds to one inlined access. */
uint32_t plan_cost(mf_strategy strategy, const plan_reach *reach);

/* The same where `hot_percent` of 100 accesses go to one window, which is asked for before the check. */
uint32_t plan_cost_hot(mf_strategy strategy, const plan_reach *reach, uint32_t hot_percent);

#endif
