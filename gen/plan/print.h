/* What an access is called in lines and messages. */
#ifndef MEMFOLD_GEN_PLAN_PRINT_H
#define MEMFOLD_GEN_PLAN_PRINT_H

#include <memfold/plan.h>

/* The accessor's name, or "load" or "store" where the plan is no accessor's. Static storage. */
const char *plan_access_name(const mf_plan *plan);

#endif
