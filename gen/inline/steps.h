/* The comparisons of a plan's steps as instructions. */
#ifndef MEMFOLD_GEN_INLINE_STEPS_H
#define MEMFOLD_GEN_INLINE_STEPS_H

#include "inline/writer.h"

/* Writes step `number` of the plan, with the jumps to where it leads. */
void inline_step(inline_writer *w, uint32_t number);

/* True for the kinds of steps that accesses have. */
bool inline_knows_step(mf_step_kind kind);

#endif
