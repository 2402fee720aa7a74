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

/*
 * What a hole for a number can take. X(ID, name, first, last), the last two as signed numbers. A number that
 * is computed with modulo 2^32, or is below it, is NARROW: of it 32 bits count.
 */
#define PLAN_RANGES(X)                                                                                       \
    X(SHIFT, "u6", 0, 63)                     /* an immediate byte */                                        \
    X(SIGNED_32, "s32", INT32_MIN, INT32_MAX) /* an immediate that the CPU extends by its sign */            \
    X(NARROW, "u32", INT64_MIN, INT64_MAX)                                                                   \
    X(WIDE, "u64", INT64_MIN, INT64_MAX) /* in a register of its own */

typedef enum plan_range {
#define MF_X(ID, name, first, last) PLAN_RANGE_##ID,
    PLAN_RANGES(MF_X)
#undef MF_X
        PLAN_RANGE_COUNT
} plan_range;

const char *plan_range_name(plan_range range);

/* Whether the number lies in the range, which is of 64-bit numbers modulo 2^64. */
bool plan_range_holds(plan_range range, uint64_t number);

const char *plan_number_name(plan_number number);

/* The number of the last of the pieces of 2^log2 bytes that make up the space. */
static inline uint64_t plan_last_piece(uint32_t log2) {
    return (MF_SPACE_BYTES >> log2) - 1;
}

/* `step` is one of the plan's, or not looked at for a number that belongs to none. */
static inline uint64_t plan_number_get(const mf_plan *plan, const mf_plan_step *step,
                                       const mf_accessor_options *options, plan_number number) {
    switch (number) {
    case PLAN_NUMBER_START:
        return step->start;
    case PLAN_NUMBER_MINUS_START:
        return 0 - step->start;
    case PLAN_NUMBER_LAST:
        return step->last;
    case PLAN_NUMBER_MINUS_LAST:
        return 0 - step->last;
    case PLAN_NUMBER_END:
        return step->last + 1;
    case PLAN_NUMBER_BITS:
        return step->bits;
    case PLAN_NUMBER_GRANULE_LOG2:
        return step->granule_log2;
    case PLAN_NUMBER_WORD_LOG2:
        return step->granule_log2 + 5;
    case PLAN_NUMBER_GRANULE_LOW:
        return (UINT64_C(1) << step->granule_log2) - 1;
    case PLAN_NUMBER_LAST_GRANULE:
        return plan_last_piece(step->granule_log2);
    case PLAN_NUMBER_LAST_WORD:
        return plan_last_piece(step->granule_log2 + 5);
    case PLAN_NUMBER_WIDTH_MORE:
        return plan->width_bytes - 1;
    case PLAN_NUMBER_LIMIT:
        return plan->limit;
    case PLAN_NUMBER_BASE_ADDRESS:
        return options->base_address;
    case PLAN_NUMBER_COUNT:
        break;
    }
    return 0;
}

#endif
