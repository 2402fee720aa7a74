#include "maker/compile.h"

#include "ir/target.h"

#include <llvm-c/Analysis.h>

#include <assert.h>

static mf_status build(LLVMModuleRef module, LLVMBuilderRef builder, const emit_input *input, mf_diag *diag) {
    ir ir;
    mf_status status = target_check_backend(LLVMGetTarget(module), input->options->backend, diag);
    if (status == MF_OK)
        status = ir_init(&ir, module, builder, diag);
    if (status == MF_OK)
        status = emit_set(&ir, input, diag);
    assert(status != MF_OK || !LLVMVerifyModule(module, LLVMAbortProcessAction, NULL));
    return status;
}

mf_status compile_set(LLVMTargetMachineRef machine, const emit_input *input, LLVMMemoryBufferRef *object,
                      mf_diag *diag) {
    mf_diag error;
    LLVMContextRef context = target_context_create(&error);
    LLVMModuleRef module = target_module_create(machine, context, input->prefix);
    LLVMBuilderRef builder = LLVMCreateBuilderInContext(context);
    mf_status status = build(module, builder, input, diag);
    if (status == MF_OK)
        status = target_compile(machine, module, LLVMObjectFile, object, diag);
    LLVMDisposeBuilder(builder);
    LLVMDisposeModule(module);
    LLVMContextDispose(context);
    return status;
}
