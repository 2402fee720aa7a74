#include "plan/number.h"

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
