/*
 * The pieces that an accessor consists of, by the list that stencils are made from: the numbers of stamps,
 * accesses and faults (stencil/shapes.h), and behind them the checks. An accessor of LLVM's has the same
 * pieces in its IR.
 */
#ifndef MEMFOLD_TEST_PIECES_H
#define MEMFOLD_TEST_PIECES_H

#include "stencil/table.h"

#define PIECES_OF_ACCESSOR 4

typedef struct pieces {
    uint32_t numbers[PIECES_OF_ACCESSOR];
    uint32_t count;
    bool has_check;
    uint32_t check; /* its place in the table, without the parts before it */
} pieces;

static inline uint32_t piece_count(void) {
    return SHAPE_PART_COUNT + STENCIL_TABLE.check_count;
}

/* False if the plan has a check that is not on the list. */
bool pieces_find(pieces *p, const mf_plan *plan, const mf_accessor_options *options);

#endif
