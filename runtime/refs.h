/* A reference count that any thread may change. The holder starts with one reference. */
#ifndef MEMFOLD_RUNTIME_REFS_H
#define MEMFOLD_RUNTIME_REFS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct refs {
    atomic_size_t count;
} refs;

static inline void refs_init(refs *refs) {
    atomic_init(&refs->count, 1);
}

static inline void refs_retain(refs *refs) {
    atomic_fetch_add_explicit(&refs->count, 1, memory_order_relaxed);
}

/* True if this was the last reference. Everything other holders did happens before the freeing. */
static inline bool refs_release(refs *refs) {
    return atomic_fetch_sub_explicit(&refs->count, 1, memory_order_acq_rel) == 1;
}

#endif
