/*
 * The numbers of a plan that stand in its code: what code is made from besides the kinds of its steps. The
 * emitters write them as constants, or as holes that are filled once a plan is known; both name them so.
 */
#ifndef MEMFOLD_GEN_PLAN_NUMBER_H
#define MEMFOLD_GEN_PLAN_NUMBER_H

#include <memfold/plan.h>

/* X(ID, name). All but the last three are of one step. */
#define PLAN_NUMBERS(X)                                                                                      \
    X(START, "start")                                                                                        \
    X(MINUS_START, "minus_start") /* 0 - start modulo 2^64: an addition has shorter code */                  \
    X(LAST, "last")                                                                                          \
    X(MINUS_LAST, "minus_last")                                                                              \
    X(END, "end") /* last + 1 */                                                                             \
    X(BITS, "bits")                                                                                          \
    X(GRANULE_LOG2, "granule_log2")                                                                          \
    X(WORD_LOG2, "word_log2")   /* so many bytes of the space have 32 bits of a granule bitmap */            \
    X(GRANULE_LOW, "low")       /* the bits of an index within its granule */                                \
    X(LAST_GRANULE, "granules") /* the number of the last granule of the space */                            \
    X(LAST_WORD, "words")                                                                                    \
    X(WIDTH_MORE, "width_more") /* the access's width - 1 */                                                 \
    X(LIMIT, "limit")                                                                                        \
    X(BASE_ADDRESS, "base_address") /* of the options */

typedef enum plan_number {
#define MF_X(ID, name) PLAN_NUMBER_##ID,
    PLAN_NUMBERS(MF_X)
#undef MF_X
        PLAN_NUMBER_COUNT
} plan_number;

const char *plan_number_name(plan_number number);

/* `step` is one of the plan's, or NULL for a number that belongs to none. */
uint64_t plan_number_get(const mf_plan *plan, const mf_plan_step *step, const mf_accessor_options *options,
                         plan_number number);

#endif
