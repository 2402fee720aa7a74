/*
 * The engines of a kernel: the generic one, and sets that were emitted ahead of time from one layout with a
 * read-only and a read-write page. Paged accessors of such a layout leave every decision to the MMU, so they
 * serve every layout.
 */
#include "engines.h"
#include "kernel.h"

#include <memfold/generic.h>

#include <stdio.h>
#include <stdlib.h>

/* By byte order, way of reporting, base and index, the last changing first. */
#define FOR_EACH_INDEX(X, name) X(name##_u32) X(name##_u33)
#define FOR_EACH_BASE(X, name)                                                                               \
    FOR_EACH_INDEX(X, name##_view)                                                                           \
    FOR_EACH_INDEX(X, name##_argument)                                                                       \
    FOR_EACH_INDEX(X, name##_constant0)                                                                      \
    FOR_EACH_INDEX(X, name##_constant1)                                                                      \
    FOR_EACH_INDEX(X, name##_constant2)                                                                      \
    FOR_EACH_INDEX(X, name##_constant3)
#define FOR_EACH_SET(X)                                                                                      \
    FOR_EACH_BASE(X, le_return)                                                                              \
    FOR_EACH_BASE(X, le_trap)                                                                                \
    FOR_EACH_BASE(X, be_return)                                                                              \
    FOR_EACH_BASE(X, be_trap)

enum { INDICES = 2, BASES = 6, WAYS = 2 };

/* The kernel reserves at 0, 16 GiB, and so on, and that is where the constant bases are. */
#define CONSTANT_BASE_STEP (UINT64_C(16) << 30)

#define DECLARE(name) extern const mf_accessors name##_accessors;
FOR_EACH_SET(DECLARE)

#define ADDRESS(name) &name##_accessors,
static const mf_accessors *const sets[] = {FOR_EACH_SET(ADDRESS)};

void engines_start(void) {
}

void engines_stop(void) {
}

mf_memory *engines_clone(const mf_memory *memory, mf_empty_range empty_range) {
    mf_memory *clone;
    mf_diag diag;
    (void)empty_range;
    engines_must(mf_memory_clone(memory, &clone, &diag), &diag, "mf_memory_clone");
    return clone;
}

void engines_discard(mf_memory *memory, mf_empty_range empty_range) {
    (void)empty_range;
    mf_memory_destroy(memory);
}

bool engines_strategy_is_exact(const mf_layout *layout, const mf_accessor_options *options) {
    (void)layout;
    return options->strategy == MF_STRATEGY_AUTO;
}

static bool generic_serves(const mf_accessor_options *options) {
    return mf_generic_accessors(options) != NULL;
}

static engine_code generic_acquire(mf_memory *memory, const mf_accessor_options *options) {
    (void)memory;
    return (engine_code){.set = mf_generic_accessors(options)};
}

static bool aot_serves(const mf_accessor_options *options) {
    return options->policy == MF_POLICY_PERMS && options->strategy == MF_STRATEGY_AUTO &&
           options->stale == MF_STALE_TRUST;
}

static engine_code aot_acquire(mf_memory *memory, const mf_accessor_options *options) {
    (void)memory;
    uint64_t base = options->base;
    if (options->base == MF_BASE_CONSTANT) {
        uint64_t place = options->base_address / CONSTANT_BASE_STEP;
        CHECK(options->base_address % CONSTANT_BASE_STEP == 0 && base + place < BASES);
        base += place;
    }
    uint64_t way = (uint64_t)options->endian * WAYS + (uint64_t)options->on_fault;
    return (engine_code){.set = sets[(way * BASES + base) * INDICES + (uint64_t)options->index]};
}

static void release_nothing(engine_code code) {
    (void)code;
}

const engine ENGINES[] = {
    {"bare/generic", MF_BACKEND_X86_PAGED, generic_serves, generic_acquire, release_nothing},
    {"bare/aot", MF_BACKEND_X86_PAGED, aot_serves, aot_acquire, release_nothing},
};
const size_t ENGINE_COUNT = sizeof ENGINES / sizeof ENGINES[0];
