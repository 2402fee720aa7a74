#include "plan/number.h"

#include <assert.h>

const char *plan_number_name(plan_number number) {
    static const char *const NAMES[] = {
#define MF_X(ID, name) name,
        PLAN_NUMBERS(MF_X)
#undef MF_X
    };
    return NAMES[number];
}

const char *plan_range_name(plan_range range) {
    static const char *const NAMES[] = {
#define MF_X(ID, name, first, last) name,
        PLAN_RANGES(MF_X)
#undef MF_X
    };
    return NAMES[range];
}

bool plan_range_holds(plan_range range, uint64_t number) {
    static const int64_t BOUNDS[][2] = {
#define MF_X(ID, name, first, last) {first, last},
        PLAN_RANGES(MF_X)
#undef MF_X
    };
    return BOUNDS[range][0] <= (int64_t)number && (int64_t)number <= BOUNDS[range][1];
}

/* The number of the last of the pieces of 2^log2 bytes that make up the space. */
static uint64_t last_piece(uint32_t log2) {
    return (MF_SPACE_BYTES >> log2) - 1;
}

uint64_t plan_number_get(const mf_plan *plan, const mf_plan_step *step, const mf_accessor_options *options,
                         plan_number number) {
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
        return last_piece(step->granule_log2);
    case PLAN_NUMBER_LAST_WORD:
        return last_piece(step->granule_log2 + 5);
    case PLAN_NUMBER_WIDTH_MORE:
        return plan->width_bytes - 1;
    case PLAN_NUMBER_LIMIT:
        return plan->limit;
    case PLAN_NUMBER_BASE_ADDRESS:
        return options->base_address;
    case PLAN_NUMBER_COUNT:
        break;
    }
    assert(false && "there is no such number");
    return 0;
}
