/* Instructions of vector registers, as far as they move data: what decode.c asks of them. */
#ifndef MEMFOLD_GEN_VERIFY_DECODE_VECTOR_H
#define MEMFOLD_GEN_VERIFY_DECODE_VECTOR_H

#include "verify/decode.h"

/* Writes id and is_vex of the instruction that capstone calls `theirs`. False if it is not on the list. */
bool decode_vector_find(unsigned theirs, instruction *i);

/* Writes number and size of xmm0, ..., ymm0, ..., zmm0, ... False for another register. */
bool decode_vector_register(unsigned theirs, operand *o);

/*
 * True if the bytes are an encoding of `id` in the manual: 67, at most one of 66, f2 and f3, a REX, and the
 * opcode; or 67 and a VEX or EVEX prefix, which names no register that is not an operand, the latter without
 * a mask, zeroing, broadcast or rounding. Of the operands the library tells.
 */
bool decode_vector_means_what_it_says(const instruction *i);

#endif
