/* What mf_rt_fault_v3 does, in C; what it keeps for generated code is the matter of fault_entry.c. */
#ifndef MEMFOLD_RUNTIME_ENTRY_POINTS_H
#define MEMFOLD_RUNTIME_ENTRY_POINTS_H

#include <memfold/abi.h>

/* Records the fault in the view and returns its kind. */
uint32_t entry_fault(mf_view *view, uint64_t index, uint64_t access, uint64_t limit);

#endif
