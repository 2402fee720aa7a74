/* The engines of a program with an operating system: both backends, with generated code and without. */
#include "engines_generic.h"
#include "engines_inline.h"
#include "engines_pools.h"

#include <memfold/llvm_maker.h>
#include <memfold/plan.h>

static mf_jit *shared_jit;
static mf_jit *stencil_jit;

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
    destroy_pools();
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
