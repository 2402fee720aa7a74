/*
 * All checks that there are, by the layouts and options that have them: up to six windows, a heap anywhere
 * among them, under every strategy, hint, index and mask. A shape is met several times, with numbers at
 * different edges: the space from end to end, the sizes of immediates, single pages, windows side by side.
 */
#ifndef MEMFOLD_TEST_SHAPE_WALK_H
#define MEMFOLD_TEST_SHAPE_WALK_H

#include <memfold/layout.h>
#include <memfold/options.h>

typedef void shape_visit(void *context, const mf_layout *layout, const mf_accessor_options *options);

/* Always in the same order, those with the largest numbers first. */
void shape_walk(shape_visit *visit, void *context);

#endif
