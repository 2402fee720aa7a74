/* What can be read off a plan's steps. */
#include <memfold/plan.h>

bool mf_plan_has_step(const mf_plan *plan, mf_step_kind kind) {
    for (uint32_t i = 0; i < plan->step_count; i++)
        if (plan->steps[i].kind == kind)
            return true;
    return false;
}

bool mf_plan_has_fault_edge(const mf_plan *plan) {
    for (uint32_t i = 0; i < plan->step_count; i++)
        if (plan->steps[i].on_pass == MF_EXIT_FAULT || plan->steps[i].on_fail == MF_EXIT_FAULT)
            return true;
    return false;
}
