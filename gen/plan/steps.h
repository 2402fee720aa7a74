/*
 * The steps of each check, every one under the inequality that proves it. Appends to the plan's list; which
 * check is taken is make.c's to say.
 */
#ifndef MEMFOLD_GEN_PLAN_STEPS_H
#define MEMFOLD_GEN_PLAN_STEPS_H

#include "plan/reach.h"

#include <memfold/plan.h>

/* The list ends without a question: all that comes here goes to `exit`. */
void plan_add_always(mf_plan *plan, mf_exit exit);

/* What was asked so far is all that there is to ask: the last step, passed, leads to the access. */
void plan_allow(mf_plan *plan);

/*
 * Puts a question before all steps: whether the memory has the layout that the code was made for, or where
 * the steps ask nothing that a layout says, its backend.
 */
void plan_begin_with_stamp(mf_plan *plan, const mf_layout *layout, mf_backend backend);

/* The steps ask the memory itself, its MMU or its permission table, and nothing that only one layout says. */
bool plan_asks_memory_only(const mf_plan *plan);

/* The access faults by itself; with `traps` the fault handler takes it from there. */
void plan_add_mmu(mf_plan *plan, bool traps);

/* The window [0, len). Where it is the whole space, a byte at a 32-bit address is always inside: no question.
 */
void plan_add_bound(mf_plan *plan, uint64_t len);

void plan_add_window(mf_plan *plan, mf_window window);
void plan_add_two_windows(mf_plan *plan, mf_window low, mf_window high);

/* The window that ends at the live heap end, and the one other that the operation may have. */
void plan_add_heap(mf_plan *plan, const plan_reach *reach);

/* At most PLAN_WINDOWS_MAX windows: all of them in one, without what lies between. */
void plan_add_few_windows(mf_plan *plan, const plan_reach *reach);

/* Lookups of the first byte and, where the access may straddle, of the last. */
void plan_add_immediate_bitmap(mf_plan *plan, const plan_reach *reach, bool masks);
void plan_add_granules(mf_plan *plan, const plan_reach *reach, mf_step_kind kind, bool masks);
void plan_add_permissions(mf_plan *plan, bool masks);

/* Accesses within one window are allowed at once: it gets `percent` of 100, as far as is known (0: it is
 * not). */
void plan_add_allowed_window(mf_plan *plan, mf_window window, uint32_t percent);
void plan_add_allowed_heap(mf_plan *plan, const plan_reach *reach, uint32_t percent);

/* What the last step did not allow is a fault. */
void plan_refuse(mf_plan *plan);

/* All that was compared holds for the access also by data flow, or it goes to `start`. */
void plan_add_mask(mf_plan *plan, uint64_t start);

#endif
