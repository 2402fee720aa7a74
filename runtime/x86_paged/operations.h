/* The operations of the paged backend (backend.h) that have files of their own. */
#ifndef MEMFOLD_RUNTIME_X86_PAGED_OPERATIONS_H
#define MEMFOLD_RUNTIME_X86_PAGED_OPERATIONS_H

#include "memory_impl.h"

bool paged_build(mf_memory *memory);
bool paged_rebuild(mf_memory *memory);
bool paged_clone(mf_memory *memory, mf_memory *from);

/* Pages below `end_bytes` may have permissions or bytes from now on. */
static inline void paged_extend(mf_memory *memory, uint64_t end_bytes) {
    if (end_bytes > memory->paged.end_bytes)
        memory->paged.end_bytes = end_bytes;
}

#endif
