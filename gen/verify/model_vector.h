/* The instructions of vector registers, of which each result byte is a byte of an operand, or 0, or the
 * exclusive or of two. */
#ifndef MEMFOLD_GEN_VERIFY_MODEL_VECTOR_H
#define MEMFOLD_GEN_VERIFY_MODEL_VECTOR_H

#include "verify/model.h"

/* Executes an instruction of VECTOR_INSTRUCTIONS. With MODEL_REFUSED and MODEL_UNKNOWN the state is as
 * before. */
model_next model_vector_execute(model *m, const instruction *i);

#endif
