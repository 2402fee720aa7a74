/* The seam of the jit, in front of sets that LLVM compiles and links. */
#include <memfold/llvm_maker.h>

#include "ir/entry.h"
#include "jit/maker.h"
#include "maker/set.h"

#include <memfold/version.h>

#include <stdlib.h>

static void tools_destroy(toolchain *tools) {
    toolchain_fini(tools);
    free(tools);
}

static mf_status tools_create(const mf_jit_config *config, void **state, mf_diag *diag) {
    mf_status status = entry_foresee(diag);
    if (status != MF_OK)
        return status;
    toolchain *made = calloc(1, sizeof *made);
    if (made == NULL)
        return mf_diag_set(diag, MF_OUT_OF_MEMORY, sizeof *made, "no memory for a jit");
    status = toolchain_init(made, config->perf_map, diag);
    if (status == MF_OK)
        *state = made;
    else
        tools_destroy(made);
    return status;
}

static mf_status open_llvm(const mf_jit_config *config, void **state, mf_diag *diag) {
    entry_begin_in_jit();
    mf_status status = tools_create(config, state, diag);
    entry_end_in_jit();
    return status;
}

static void close_llvm(void *state) {
    entry_begin_in_jit();
    tools_destroy(state);
    entry_end_in_jit();
}

static mf_status make_with_llvm(void *state, const maker_input *input, made_set *made, mf_diag *diag) {
    const emit_input emitted = {
        .plans = input->plans, .options = input->options, .fit = input->fit, .prefix = input->prefix};
    linked_set *set = calloc(1, sizeof *set);
    if (set == NULL)
        return mf_diag_set(diag, MF_OUT_OF_MEMORY, sizeof *set, "no memory for code");
    entry_begin_in_jit();
    mf_status status = linked_set_make(state, &emitted, set, diag);
    entry_end_in_jit();
    if (status == MF_OK)
        *made = (made_set){set->accessors, set};
    else
        free(set);
    return status;
}

static void unmake_with_llvm(void *state, made_set *made) {
    entry_begin_in_jit();
    linked_set_unlink(state, made->own);
    entry_end_in_jit();
    free(made->own);
    *made = (made_set){0};
}

const mf_code_maker *mf_llvm_maker(void) {
    static const mf_code_maker LLVM_MAKER = {
        .name = "llvm",
        .version = MF_VERSION,
        .open = open_llvm,
        .close = close_llvm,
        .make = make_with_llvm,
        .unmake = unmake_with_llvm,
    };
    return &LLVM_MAKER;
}
