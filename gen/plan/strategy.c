/* Which strategies are exact for a layout, and the cheapest of them. */
#include "plan/strategy.h"

#include "plan/cost.h"
#include "plan/tables.h"

/*
 * A growing window that may come to touch the constant window above it is no window of its own: an access
 * across the seam becomes legal when the heap is full. Only the permission table sees that.
 */
const char *plan_strategy_refusal(mf_strategy strategy, const plan_reach *r) {
    switch (strategy) {
    case MF_STRATEGY_AUTO:
    case MF_STRATEGY_PERM_TABLE:
        return NULL;
    case MF_STRATEGY_WINDOW:
        return r->grows ? "the heap grows" : r->window_count > 1 ? "there is more than one window" : NULL;
    case MF_STRATEGY_TWO_WINDOWS:
        return r->grows ? "the heap grows" : r->window_count > 2 ? "there are more than two windows" : NULL;
    case MF_STRATEGY_HEAP:
        return !r->grows             ? "there is no heap that can grow"
               : r->touches_above    ? "a window begins where the heap ends"
               : r->window_count > 1 ? "there is more than one window besides the heap"
                                     : NULL;
    case MF_STRATEGY_FEW_WINDOWS:
    case MF_STRATEGY_IN_TURN:
        return r->touches_above                         ? "a window begins where the heap ends"
               : plan_reach_count(r) > PLAN_WINDOWS_MAX ? "there are more than four windows"
                                                        : NULL;
    case MF_STRATEGY_IMMEDIATE_BITMAP:
        return r->touches_above ? "a window begins where the heap ends"
               : r->spread.bits == 0 && r->spread.hull.size > 0
                   ? "the windows are spread over more than 64 granules"
                   : NULL;
    case MF_STRATEGY_GRANULE_TABLE:
        return r->touches_above                                    ? "a window begins where the heap ends"
               : r->spread.granule_log2 + PLAN_TABLE_MAX_LOG2 < 32 ? "the table would take more than 128 KiB"
                                                                   : NULL;
    case MF_STRATEGY_GRANULE_BITMAP:
        return r->touches_above ? "a window begins where the heap ends" : NULL;
    }
    return NULL;
}

/* The cheapest that is exact; of those that cost the same, the last, which has the least constant data. */
mf_strategy plan_strategy_choose(const plan_reach *r) {
    mf_strategy best = MF_STRATEGY_PERM_TABLE;
    for (mf_strategy s = MF_STRATEGY_LAST; s > MF_STRATEGY_AUTO; s--)
        if (plan_strategy_refusal(s, r) == NULL && plan_cost(s, r) < plan_cost(best, r))
            best = s;
    return best;
}
