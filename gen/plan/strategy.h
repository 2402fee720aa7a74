/* Which of the strategies a layout gets. */
#ifndef MEMFOLD_GEN_PLAN_STRATEGY_H
#define MEMFOLD_GEN_PLAN_STRATEGY_H

#include "plan/reach.h"

#include <memfold/options.h>

/* Why the strategy would not answer exactly, as the end of a sentence; NULL: it does. */
const char *plan_strategy_refusal(mf_strategy strategy, const plan_reach *reach);

/* The cheapest that is exact. */
mf_strategy plan_strategy_choose(const plan_reach *reach);

#endif
