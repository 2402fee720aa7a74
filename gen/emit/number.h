/*
 * The numbers of a plan in code: as constants, or as holes. A hole is an absolute symbol that nobody defines;
 * where the code needs its value the object has a relocation. Its name and its range say what to write there.
 */
#ifndef MEMFOLD_GEN_EMIT_NUMBER_H
#define MEMFOLD_GEN_EMIT_NUMBER_H

#include "emit/site.h"
#include "plan/number.h"

/* A hole is called EMIT_HOLE_PREFIX<range>_<step's place>_<number's name>; numbers of no step have place 0.
 */
#define EMIT_HOLE_PREFIX "mf_hole_"

/* Where the numbers of a site come from, if they are not constants. */
typedef struct emit_holes {
    bool wide; /* numbers of 64 bits may be any; otherwise each is a SIGNED_32 */
} emit_holes;

/* The number, as an i32 or i64. */
LLVMValueRef emit_number(const ir *ir, const emit_site *site, LLVMTypeRef t_number, const mf_plan_step *step,
                         plan_number number);

/* v_left minus the step's start; minus its last, which is not above it. */
LLVMValueRef emit_minus_start(const ir *ir, const emit_site *site, const mf_plan_step *step,
                              LLVMValueRef v_left);
LLVMValueRef emit_minus_last(const ir *ir, const emit_site *site, const mf_plan_step *step,
                             LLVMValueRef v_left);

/* v_left, an i32 or i64, shifted right by a granule_log2 or word_log2. */
LLVMValueRef emit_shift_right(const ir *ir, const emit_site *site, const mf_plan_step *step,
                              plan_number number, LLVMValueRef v_left);

#endif
