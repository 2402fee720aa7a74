/* Where the heap of a layout can grow, and what its windows are then. */
#ifndef MEMFOLD_GEN_PLAN_GROWTH_H
#define MEMFOLD_GEN_PLAN_GROWTH_H

#include <memfold/layout.h>
#include <memfold/plan.h>

/*
 * The pages that sbrk can ever add: from the heap's base up to its maximum, or to the first region, whichever
 * comes first, because sbrk refuses to grow over a page that is not MF_PERM_NONE. Size 0 if there are none.
 */
mf_window plan_heap_growth(const mf_layout *layout);

/* The next window of `operation` that ends above `from`, as it is when the heap is full. False if there is
 * none. */
bool plan_grown_window_lookup(const mf_layout *layout, mf_operation operation, uint64_t from,
                              mf_window *window);

/*
 * The most that the live heap end can be in any memory for which the plan is exact. Only the plan says it:
 * its code serves every layout that has the same plan.
 */
uint64_t plan_heap_end_most(const mf_plan *plan);

#endif
