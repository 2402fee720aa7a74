/*
 * Made sets by their plans: layouts that are planned alike, such as all that use the permission table,
 * share one. The jit's link_lock is held around every call.
 */
#ifndef MEMFOLD_GEN_JIT_SHAPES_H
#define MEMFOLD_GEN_JIT_SHAPES_H

#include "jit/maker.h"

#include <memfold/layout.h>
#include <memfold/options.h>

typedef struct shape shape;

/* The shapes there are, and what new ones are made with. All zero at first. */
typedef struct shapes {
    const mf_code_maker *maker;
    void *maker_state;
    const char *symbol_prefix; /* of the jit */
    uint64_t next_serial;      /* makes the symbols of each set its own */
    void *root;                /* a tree of tsearch */
} shapes;

/* Writes the set for `layout`, known or new, with one more reference. Statuses as the maker's and
 * plan_set_make. */
mf_status shape_retain(shapes *shapes, const mf_layout *layout, const mf_accessor_options *options,
                       shape **found, mf_diag *diag);

/* Gives a reference back; at the last one the code is freed. */
void shape_release(shapes *shapes, shape *shape);

/* The accessors, which say of themselves that they are for `layout`: one that is planned like the shape. */
mf_accessors accessors_of_shape(const shape *shape, const mf_layout *layout);

#endif
