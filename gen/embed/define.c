/* Whole accessors inside a client's module. */
#include "embed/embed.h"

#include "emit/set.h"

#include <string.h>

static void make_inline(const ir *ir, LLVMValueRef f) {
    static const ir_attribute ALWAYS[] = {{"alwaysinline", 0}, {NULL, 0}};
    LLVMSetLinkage(f, LLVMInternalLinkage);
    ir_add_function_attributes(ir, f, ALWAYS);
}

static void delete_functions(const LLVMValueRef functions[MF_ACCESSOR_COUNT]) {
    for (size_t i = 0; i < MF_ACCESSOR_COUNT && functions[i] != NULL; i++)
        LLVMDeleteFunction(functions[i]);
}

mf_status(mf_embed_define)(LLVMModuleRef module, const mf_layout *layout, const mf_accessor_options *options,
                           const char *prefix, LLVMValueRef functions[MF_ACCESSOR_COUNT], mf_diag *diag) {
    static const mf_accessor_options DEFAULT_OPTIONS;
    LLVMValueRef defined[MF_ACCESSOR_COUNT] = {NULL};
    plan_set plans;
    ir ir;
    if (options == NULL)
        options = &DEFAULT_OPTIONS;
    mf_status status = plan_set_make(layout, options, &plans, diag);
    if (status != MF_OK)
        return status;
    plan_fit fit = plan_fit_make(layout, options, &plans);
    emit_input input = {
        .plans = &plans, .options = options, .fit = fit, .prefix = prefix, .asks_for_table = true};
    LLVMBuilderRef builder = LLVMCreateBuilderInContext(LLVMGetModuleContext(module));
    status = embed_begin(&ir, module, options->backend, builder, diag);
    if (status == MF_OK)
        status = emit_functions(&ir, &input, defined, diag);
    LLVMDisposeBuilder(builder);
    plan_set_fini(&plans);
    if (status != MF_OK) {
        delete_functions(defined);
        return status;
    }
    for (size_t i = 0; i < MF_ACCESSOR_COUNT; i++)
        make_inline(&ir, defined[i]);
    if (functions != NULL)
        memcpy(functions, defined, sizeof defined);
    return MF_OK;
}

mf_status mf_embed_define_checked(unsigned version_major, LLVMContextRef (*get_global_context)(void),
                                  LLVMModuleRef module, const mf_layout *layout,
                                  const mf_accessor_options *options, const char *prefix,
                                  LLVMValueRef functions[MF_ACCESSOR_COUNT], mf_diag *diag) {
    mf_status status = mf_embed_check_llvm(version_major, get_global_context, diag);
    return status != MF_OK ? status : (mf_embed_define)(module, layout, options, prefix, functions, diag);
}
