/*
 * Linked code by plans: layouts that are planned alike, such as all that use the permission table, share one
 * set. The jit's link_lock is held around every call.
 */
#ifndef MEMFOLD_GEN_JIT_SHAPES_H
#define MEMFOLD_GEN_JIT_SHAPES_H

#include "jit/linker.h"

typedef struct shape shape;

/* Where new sets come from, and those there are. `perf_map` may be NULL. */
typedef struct shapes {
    linker *linker;
    FILE *perf_map;
    const char *symbol_prefix;
    uint64_t next_serial; /* makes the symbols of each set its own */
    void *root;
} shapes;

/* Writes the set for `layout`, known or new, with one more reference. Statuses as linker_link. */
mf_status shape_acquire(shapes *shapes, const mf_layout *layout, const mf_accessor_options *options,
                        shape **found, mf_diag *diag);

/* Gives a reference back; at the last one the code is freed. */
void shape_release(shapes *shapes, shape *shape);

const mf_accessors *shape_accessors(const shape *shape);

#endif
