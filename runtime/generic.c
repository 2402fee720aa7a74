/*
 * The generic engine: both ends of an access are looked up in the live permission table. An access has at
 * most 8 bytes, so it touches no page but those two.
 */
#include <memfold/generic.h>

#include "classify.h"
#include "perm_table.h"

#include <string.h>

#define FULL_WIDTH 8

MF_STATIC_ASSERT(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the low bytes of a value come first");

/* One set of accessors: its constants, folded into each of its functions. */
typedef struct generic_traits {
    bool big_endian;
    bool traps;
} generic_traits;

static inline bool allowed(const mf_view *view, uint64_t index, const mf_accessor_info *access) {
    mf_perm least = operation_least_perm(access->operation);
    return perms_at(view->perms, index >> MF_PAGE_LOG2) >= least &&
           perms_at(view->perms, (index + access->width_bytes - 1) >> MF_PAGE_LOG2) >= least;
}

/* Reverses the low bytes of `value` and drops the others. */
static inline uint64_t swap_low_bytes(uint64_t value, uint32_t width_bytes) {
    return __builtin_bswap64(value) >> 8 * (FULL_WIDTH - width_bytes);
}

static inline uint64_t sign_extend(uint64_t value, uint32_t width_bytes) {
    uint64_t sign = UINT64_C(1) << (8 * width_bytes - 1);
    return (value ^ sign) - sign;
}

/* Returns the status of a refused access, or leaves through the guard frame. */
static uint32_t refuse(mf_view *view, uint64_t index, mf_accessor_info access, generic_traits traits) {
    uint64_t code = MF_ACCESS_CODE(access.operation, access.width_bytes);
    if (traits.traps)
        mf_rt_trap_v3(view, index, code, 0);
    return mf_rt_fault_v3(view, index, code, 0);
}

static inline mf_load_result load(mf_view *view, const unsigned char *base, uint64_t index,
                                  mf_accessor_info access, generic_traits traits) {
    if (!allowed(view, index, &access))
        return (mf_load_result){0, refuse(view, index, access, traits)};
    uint64_t value = 0;
    memcpy(&value, base + index, access.width_bytes);
    if (traits.big_endian)
        value = swap_low_bytes(value, access.width_bytes);
    if (access.sign_extends)
        value = sign_extend(value, access.width_bytes);
    return (mf_load_result){value, MF_FAULT_NONE};
}

static inline uint32_t store(mf_view *view, unsigned char *base, uint64_t index, uint64_t value,
                             mf_accessor_info access, generic_traits traits) {
    if (!allowed(view, index, &access))
        return refuse(view, index, access, traits);
    uint64_t bytes = traits.big_endian ? swap_low_bytes(value, access.width_bytes) : value;
    memcpy(base + index, &bytes, access.width_bytes);
    return MF_FAULT_NONE;
}

/*
 * The sets are numbered by their options: endian + 2 * on_fault + 4 * index + 8 * (base is an argument).
 * generic_set.inc defines the set of the number GENERIC_SET.
 */
#define GENERIC_SETS 16
#define GENERIC_PASTE(a, b) a##_set##b
#define GENERIC_EXPAND(a, b) GENERIC_PASTE(a, b)
#define GENERIC_NAME(name) GENERIC_EXPAND(name, GENERIC_SET)

#define GENERIC_SET 0
#include "generic_set.inc"
#define GENERIC_SET 1
#include "generic_set.inc"
#define GENERIC_SET 2
#include "generic_set.inc"
#define GENERIC_SET 3
#include "generic_set.inc"
#define GENERIC_SET 4
#include "generic_set.inc"
#define GENERIC_SET 5
#include "generic_set.inc"
#define GENERIC_SET 6
#include "generic_set.inc"
#define GENERIC_SET 7
#include "generic_set.inc"
#define GENERIC_SET 8
#include "generic_set.inc"
#define GENERIC_SET 9
#include "generic_set.inc"
#define GENERIC_SET 10
#include "generic_set.inc"
#define GENERIC_SET 11
#include "generic_set.inc"
#define GENERIC_SET 12
#include "generic_set.inc"
#define GENERIC_SET 13
#include "generic_set.inc"
#define GENERIC_SET 14
#include "generic_set.inc"
#define GENERIC_SET 15
#include "generic_set.inc"

const mf_accessors *mf_generic_accessors(const mf_accessor_options *options) {
    static const mf_accessors *const sets[GENERIC_SETS] = {
        &accessors_set0,  &accessors_set1,  &accessors_set2,  &accessors_set3,
        &accessors_set4,  &accessors_set5,  &accessors_set6,  &accessors_set7,
        &accessors_set8,  &accessors_set9,  &accessors_set10, &accessors_set11,
        &accessors_set12, &accessors_set13, &accessors_set14, &accessors_set15,
    };
    if (options == NULL)
        return sets[0];
    /* Each of the four is 0 or 1 where there is a set for it; a constant base is 2. */
    unsigned endian = options->endian, on_fault = options->on_fault, index = options->index,
             base = options->base;
    if (options->policy != MF_POLICY_PERMS || (endian | on_fault | index | base) > 1)
        return NULL;
    return sets[endian + 2 * on_fault + 4 * index + 8 * base];
}
