/* Where the heap of a layout can grow. */
#ifndef MEMFOLD_GEN_PLAN_GROWTH_H
#define MEMFOLD_GEN_PLAN_GROWTH_H

#include <memfold/layout.h>

/*
 * The pages that sbrk can ever add: from the heap's base up to its maximum, or to the first region, whichever
 * comes first, because sbrk refuses to grow over a page that is not MF_PERM_NONE. Size 0 if there are none.
 */
mf_window plan_heap_growth(const mf_layout *layout);

#endif
