/* One accessor as a function. */
#ifndef MEMFOLD_GEN_EMIT_ACCESSOR_H
#define MEMFOLD_GEN_EMIT_ACCESSOR_H

#include "emit/number.h"

/*
 * Defines the accessor that `plan` is of as `symbol`; `v_table` is the table of its operation, and
 * `asks_for_table` the site's (site.h).
 */
LLVMValueRef emit_accessor(const ir *ir, const mf_plan *plan, const mf_accessor_options *options,
                           bool asks_for_table, LLVMValueRef v_table, const char *symbol);

/* The same with the plan's numbers as holes, for a plan without a table. */
LLVMValueRef emit_accessor_with_holes(const ir *ir, const mf_plan *plan, const mf_accessor_options *options,
                                      const emit_holes *holes, const char *symbol);

#endif
