/* The operations of the paged backend (backend.h) that have files of their own. */
#ifndef MEMFOLD_RUNTIME_X86_PAGED_OPERATIONS_H
#define MEMFOLD_RUNTIME_X86_PAGED_OPERATIONS_H

#include "memory_impl.h"

bool paged_build(mf_memory *memory);
bool paged_rebuild(mf_memory *memory);
bool paged_clone(mf_memory *memory, mf_memory *from);

/* A memory that is as at creation has the bytes of `from`, whose permissions it has (reuse_ops.follow). */
bool paged_copy_changed(mf_memory *memory, mf_memory *from);

/* Nothing but stores and sbrk has changed the memory since creation. */
static inline bool paged_has_only_grown(const mf_memory *memory) {
    return run_is_empty(memory->paged.touched);
}

/* Permissions or bytes of the pages have changed otherwise. */
static inline void paged_touch(mf_memory *memory, page_run run) {
    memory->paged.touched = run_around(memory->paged.touched, run);
}

/*
 * Whether the pages that the guest could write at creation, and `heap`, which it has now beside them, are few
 * enough to be looked at one by one.
 */
bool paged_is_small(const mf_memory *memory, page_run heap);

/* Pages below `end_bytes` may have permissions or bytes from now on. */
static inline void paged_extend(mf_memory *memory, uint64_t end_bytes) {
    if (end_bytes > memory->paged.end_bytes)
        memory->paged.end_bytes = end_bytes;
}

#endif
