#include "run/engine.h"

#include <memfold/generic.h>

#include <string.h>

mf_status engine_init(struct engine *engine, engine_kind kind, const mf_accessor_options *options,
                      mf_memory *memory, mf_diag *diag) {
    *engine = (struct engine){.options = *options, .memory = memory, .view = mf_memory_view(memory)};
    if (options->base == MF_BASE_CONSTANT)
        engine->options.base_address = (uint64_t)(uintptr_t)engine->view->base;
    if (kind == ENGINE_GENERIC) {
        engine->accessors = mf_generic_accessors(options);
        return MF_OK;
    }
    engine->stale = true;
    return mf_jit_create(NULL, &engine->jit, diag);
}

void engine_fini(struct engine *engine) {
    for (unsigned i = 0; i < engine->code_count; i++)
        mf_code_release(engine->codes[i]);
    mf_jit_destroy(engine->jit);
}

void engine_layout_changed(struct engine *engine) {
    engine->stale = engine->jit != NULL;
}

/* Puts `code`, a reference of the engine now, in front; one that was there is kept once, the oldest goes. */
static void code_remember(struct engine *engine, mf_code *code) {
    unsigned place = 0;
    while (place < engine->code_count && engine->codes[place] != code)
        place++;
    if (place < engine->code_count)
        mf_code_release(code);
    else if (place == ENGINE_CODES)
        mf_code_release(engine->codes[--place]);
    else
        engine->code_count++;
    memmove(engine->codes + 1, engine->codes, place * sizeof *engine->codes);
    engine->codes[0] = code;
}

mf_status engine_renew(struct engine *engine, mf_diag *diag) {
    mf_code *code;
    mf_status status = mf_jit_get_for(engine->jit, engine->memory, &engine->options, &code, diag);
    if (status != MF_OK)
        return status;
    code_remember(engine, code);
    engine->accessors = mf_code_accessors(code);
    engine->stale = false;
    return MF_OK;
}
