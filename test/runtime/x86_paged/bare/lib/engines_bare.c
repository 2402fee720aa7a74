/*
 * The engines of a kernel: the generic one, and sets that were emitted ahead of time from one layout with a
 * read-only and a read-write page. Paged accessors of such a layout leave every decision to the MMU, so they
 * serve every layout.
 */
#include "engines.h"

#include <memfold/generic.h>

#define FOR_EACH_SET(X)                                                                                      \
    X(le_return_view_u32)                                                                                    \
    X(le_return_view_u33)                                                                                    \
    X(le_return_argument_u32)                                                                                \
    X(le_return_argument_u33)                                                                                \
    X(le_trap_view_u32)                                                                                      \
    X(le_trap_view_u33)                                                                                      \
    X(le_trap_argument_u32)                                                                                  \
    X(le_trap_argument_u33)                                                                                  \
    X(be_return_view_u32)                                                                                    \
    X(be_return_view_u33)                                                                                    \
    X(be_return_argument_u32)                                                                                \
    X(be_return_argument_u33)                                                                                \
    X(be_trap_view_u32)                                                                                      \
    X(be_trap_view_u33)                                                                                      \
    X(be_trap_argument_u32)                                                                                  \
    X(be_trap_argument_u33)

#define DECLARE(name) extern const mf_accessors name##_accessors;
FOR_EACH_SET(DECLARE)

/* By byte order, way of reporting, base and index, the last changing first. */
#define ADDRESS(name) &name##_accessors,
static const mf_accessors *const sets[] = {FOR_EACH_SET(ADDRESS)};

void engines_start(void) {
}

void engines_stop(void) {
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
           options->stale == MF_STALE_TRUST && options->base != MF_BASE_CONSTANT;
}

static engine_code aot_acquire(mf_memory *memory, const mf_accessor_options *options) {
    (void)memory;
    unsigned i = (unsigned)options->endian * 8 + (unsigned)options->on_fault * 4 +
                 (unsigned)options->base * 2 + (unsigned)options->index;
    return (engine_code){.set = sets[i]};
}

static void release_nothing(engine_code code) {
    (void)code;
}

const engine ENGINES[] = {
    {"bare/generic", MF_BACKEND_X86_PAGED, generic_serves, generic_acquire, release_nothing},
    {"bare/aot", MF_BACKEND_X86_PAGED, aot_serves, aot_acquire, release_nothing},
};
const size_t ENGINE_COUNT = sizeof ENGINES / sizeof ENGINES[0];
