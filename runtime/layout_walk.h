/* Walks over the pages of a layout in parts that have one permission, holes included. */
#ifndef MEMFOLD_RUNTIME_LAYOUT_WALK_H
#define MEMFOLD_RUNTIME_LAYOUT_WALK_H

#include "layout_impl.h"

typedef struct layout_walk {
    const mf_layout *layout;
    size_t next; /* the first run that ends above rest.first */
    page_run rest;
} layout_walk;

layout_walk layout_walk_begin(const mf_layout *layout, page_run pages);

/* Writes the next part and its permission; false at the end. */
bool layout_walk_next(layout_walk *walk, page_run *part, mf_perm *perm);

#endif
