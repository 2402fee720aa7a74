/* The engines of a program with an operating system: both backends, with generated code and without. */
#include "engines_generic.h"
#include "engines_inline.h"

#include <memfold/llvm_maker.h>
#include <memfold/plan.h>
#include <memfold/pool.h>

static mf_jit *shared_jit;
static mf_jit *stencil_jit;

/* By backend, empty ranges and index, with small pages. */
static mf_pool *pools[2][2][2];

static mf_pool *pool_of(const mf_memory *memory, mf_empty_range empty_range) {
    const mf_memory_config config = {.backend = mf_memory_backend(memory),
                                     .huge_pages = MF_HUGE_PAGES_NEVER,
                                     .empty_range = empty_range,
                                     .index = mf_memory_index_of(memory)};
    mf_pool **place = &pools[config.backend][empty_range][config.index];
    mf_diag diag;
    if (*place == NULL)
        engines_must(mf_pool_create(&(mf_pool_config){.memory = &config, .max_memories = 8}, place, &diag),
                     &diag, "mf_pool_create");
    return *place;
}

mf_memory *engines_clone(const mf_memory *memory, mf_empty_range empty_range) {
    static unsigned turn;
    mf_memory *clone;
    mf_diag diag;
    if (turn++ % 3 == 0)
        engines_must(mf_memory_clone(memory, &clone, &diag), &diag, "mf_memory_clone");
    else
        engines_must(mf_pool_clone(pool_of(memory, empty_range), memory, &clone, &diag), &diag,
                     "mf_pool_clone");
    return clone;
}

void engines_discard(mf_memory *memory, mf_empty_range empty_range) {
    mf_pool_give(pool_of(memory, empty_range), memory);
}

void engines_start(void) {
    const mf_jit_config config = {.maker = mf_llvm_maker()};
    mf_diag diag;
    engines_must(mf_jit_create(&config, &shared_jit, &diag), &diag, "mf_jit_create");
    engines_must(mf_jit_create(NULL, &stencil_jit, &diag), &diag, "mf_jit_create");
}

void engines_stop(void) {
    mf_jit_destroy(shared_jit);
    shared_jit = NULL;
    mf_jit_destroy(stencil_jit);
    stencil_jit = NULL;
    for (int i = 0; i < 8; i++) {
        mf_pool **place = &pools[i / 4][i / 2 % 2][i % 2];
        mf_pool_destroy(*place);
        *place = NULL;
    }
}

bool engines_strategy_is_exact(const mf_layout *layout, const mf_accessor_options *options) {
    mf_plan plan;
    for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++)
        if (mf_plan_make(layout, id, options, &plan, NULL) != MF_OK)
            return false;
    return true;
}

/* ---- jit: LLVM and stencils make code of the same plans ---- */

static bool jit_serves(const mf_accessor_options *options) {
    (void)options;
    return true;
}

/* The MMU knows one strategy, and no bound of its own. */
static bool paged_jit_serves(const mf_accessor_options *options) {
    return options->policy != MF_POLICY_BOUNDS && options->strategy == MF_STRATEGY_AUTO;
}

static engine_code acquire_from(mf_jit *jit, mf_memory *memory, const mf_accessor_options *options) {
    mf_code *code;
    mf_diag diag;
    engines_must(mf_jit_get_for(jit, memory, options, &code, &diag), &diag, "mf_jit_get_for");
    return (engine_code){mf_code_accessors(code), code};
}

static engine_code jit_acquire(mf_memory *memory, const mf_accessor_options *options) {
    return acquire_from(shared_jit, memory, options);
}

static engine_code stencil_acquire(mf_memory *memory, const mf_accessor_options *options) {
    return acquire_from(stencil_jit, memory, options);
}

static void jit_release(engine_code code) {
    mf_code_release(code.code);
}

/* ---- The table ---- */

const engine ENGINES[] = {
    {"copy/generic", MF_BACKEND_COPY, generic_serves, generic_acquire, generic_release},
    {"copy/jit", MF_BACKEND_COPY, jit_serves, jit_acquire, jit_release},
    {"copy/stencil", MF_BACKEND_COPY, jit_serves, stencil_acquire, jit_release},
    {"copy/inline", MF_BACKEND_COPY, inline_serves, inline_acquire, inline_release},
    {"x86_paged/generic", MF_BACKEND_X86_PAGED, generic_serves, generic_acquire, generic_release},
    {"x86_paged/jit", MF_BACKEND_X86_PAGED, paged_jit_serves, jit_acquire, jit_release},
    {"x86_paged/stencil", MF_BACKEND_X86_PAGED, paged_jit_serves, stencil_acquire, jit_release},
    {"x86_paged/inline", MF_BACKEND_X86_PAGED, paged_inline_serves, inline_acquire, inline_release},
};
const size_t ENGINE_COUNT = sizeof ENGINES / sizeof ENGINES[0];
MF_STATIC_ASSERT(sizeof ENGINES / sizeof ENGINES[0] <= ENGINE_MAX, "ENGINE_MAX");
