/* Where one operation may go, as far as the choice of a check depends on it. */
#ifndef MEMFOLD_GEN_PLAN_REACH_H
#define MEMFOLD_GEN_PLAN_REACH_H

#include "plan/spread.h"

#include <memfold/options.h>

/* Windows that are compared one by one, the growing one included. */
#define PLAN_WINDOWS_MAX 4

typedef struct plan_reach {
    uint32_t window_count; /* constant windows, those joined to the heap left out; the most means more */
    mf_window windows[PLAN_WINDOWS_MAX + 1];
    bool grows;      /* the heap can grow */
    mf_window fixed; /* the constant part of the growing window: size 0 or >= 4096, ends at the heap's base */
    uint64_t growth_end;
    bool touches_above; /* a constant window begins there */
    plan_spread spread;
    mf_strategy cheapest; /* of the strategies that are exact; AUTO if there are no windows */
} plan_reach;

plan_reach plan_reach_make(const mf_layout *layout, mf_operation operation);

/* All windows: the growing one counts as one. */
static inline uint32_t plan_reach_count(const plan_reach *reach) {
    return reach->window_count + (reach->grows ? 1 : 0);
}

/* No access of the operation is ever allowed. */
static inline bool plan_reach_is_empty(const plan_reach *reach) {
    return reach->window_count == 0 && !reach->grows;
}

/* The first byte that the operation may ever touch. */
static inline uint64_t plan_reach_start(const plan_reach *reach) {
    return reach->spread.hull.start;
}

#endif
