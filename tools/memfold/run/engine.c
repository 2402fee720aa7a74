/* The accessors of the moment: a memory that has changed its layout gets those of the new one. */
#include "run/engine.h"

#include <memfold/generic.h>
#include <memfold/llvm_maker.h>

#include <string.h>

mf_status run_engine_init(run_engine *engine, run_engine_kind kind, const mf_accessor_options *options,
                          mf_memory *memory, mf_diag *diag) {
    *engine = (run_engine){.options = *options, .memory = memory, .view = mf_memory_view(memory)};
    if (options->base == MF_BASE_CONSTANT)
        engine->options.base_address = (uint64_t)(uintptr_t)engine->view->base;
    if (kind == ENGINE_GENERIC) {
        engine->accessors = mf_generic_accessors(options);
        return MF_OK;
    }
    const mf_jit_config config = {.maker = kind == ENGINE_JIT ? mf_llvm_maker() : NULL};
    engine->stale = true;
    return mf_jit_create(&config, &engine->jit, diag);
}

void run_engine_fini(run_engine *engine) {
    for (unsigned i = 0; i < engine->code_count; i++)
        mf_code_release(engine->codes[i]);
    mf_jit_destroy(engine->jit);
}

void run_engine_layout_changed(run_engine *engine) {
    engine->stale = engine->jit != NULL;
}

/*
 * Takes the reference `code` and puts it in front. If the engine has one already, the second is released; if
 * the list is full, the one that was used longest ago goes.
 */
static void remember_code(run_engine *engine, mf_code *code) {
    unsigned place = 0;
    while (place < engine->code_count && engine->codes[place] != code)
        place++;
    if (place < engine->code_count)
        mf_code_release(code);
    else if (place == RUN_CODES_MAX)
        mf_code_release(engine->codes[--place]);
    else
        engine->code_count++;
    memmove(engine->codes + 1, engine->codes, place * sizeof *engine->codes);
    engine->codes[0] = code;
}

mf_status run_engine_renew(run_engine *engine, mf_diag *diag) {
    mf_code *code;
    mf_status status = mf_jit_get_for(engine->jit, engine->memory, &engine->options, &code, diag);
    if (status != MF_OK)
        return status;
    remember_code(engine, code);
    engine->accessors = mf_code_accessors(code);
    engine->stale = false;
    return MF_OK;
}
