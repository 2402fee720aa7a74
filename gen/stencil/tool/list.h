/*
 * The list of stencils, with a plan for each that has its shape. The checks are those that the planner makes
 * for layouts of no to five windows and a heap anywhere among them, one of them hot or none, under every
 * strategy, mask and index: what has more windows is looked up in a table like five.
 */
#ifndef MEMFOLD_GEN_STENCIL_TOOL_LIST_H
#define MEMFOLD_GEN_STENCIL_TOOL_LIST_H

#include "stencil/shapes.h"

#include <memfold/status.h>

typedef enum listed_kind { LISTED_STAMP, LISTED_ACCESSOR, LISTED_CHECK } listed_kind;

typedef struct listed {
    listed_kind kind;
    bool wide;         /* the holes of 64-bit numbers */
    check_shape shape; /* of a check */
    mf_plan plan;
    mf_accessor_options options;
} listed;

/* The parts come first, in the order of their numbers; then the checks. */
typedef struct list {
    listed *entries;
    size_t count;
    size_t capacity;
} list;

/* Fills an empty list, which the caller frees by fini, also after a failure. MF_OUT_OF_MEMORY. */
mf_status list_make(list *l, mf_diag *diag);
void list_fini(list *l);

#endif
