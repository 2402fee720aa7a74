/* Accessors ahead of time. */
#include <memfold/aot.h>

#include "aot/header.h"
#include "emit/emit.h"
#include "ir/target.h"

#include <llvm-c/Analysis.h>
#include <llvm-c/BitWriter.h>

#include <stdlib.h>
#include <string.h>

void mf_aot_free(char *bytes) {
    free(bytes);
}

/* ---- Input ---- */

static bool is_identifier(const char *text) {
    static const char HEAD[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    static const char TAIL[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
    return text[0] != '\0' && strchr(HEAD, text[0]) != NULL && text[strspn(text, TAIL)] == '\0';
}

static mf_status validate(const mf_aot_options *options, mf_emit_kind kind, mf_diag *diag) {
    if (options->symbol_prefix == NULL || !is_identifier(options->symbol_prefix))
        return mf_diag_set(diag, MF_INVALID_ARGUMENT, 0, "the symbol prefix '%s' is not a C identifier",
                           options->symbol_prefix == NULL ? "" : options->symbol_prefix);
    if ((int)kind < MF_EMIT_IR || kind > MF_EMIT_HEADER)
        return mf_diag_set(diag, MF_INVALID_ARGUMENT, (uint64_t)kind, "there is no output of kind %d",
                           (int)kind);
    return mf_accessor_options_validate(&options->accessors, diag);
}

/* ---- Output ---- */

static mf_status copy_bytes(const char *from, size_t count, char **bytes, size_t *byte_count, mf_diag *diag) {
    char *copy = malloc(count + 1);
    if (copy == NULL)
        return mf_diag_set(diag, MF_OUT_OF_MEMORY, count, "no memory for the output");
    memcpy(copy, from, count);
    copy[count] = '\0';
    *bytes = copy;
    *byte_count = count;
    return MF_OK;
}

static mf_status take_buffer(LLVMMemoryBufferRef buffer, char **bytes, size_t *byte_count, mf_diag *diag) {
    mf_status status =
        copy_bytes(LLVMGetBufferStart(buffer), LLVMGetBufferSize(buffer), bytes, byte_count, diag);
    LLVMDisposeMemoryBuffer(buffer);
    return status;
}

static mf_status print_ir(LLVMModuleRef module, char **bytes, size_t *byte_count, mf_diag *diag) {
    char *text = LLVMPrintModuleToString(module);
    mf_status status = copy_bytes(text, strlen(text), bytes, byte_count, diag);
    LLVMDisposeMessage(text);
    return status;
}

static mf_status compile(LLVMTargetMachineRef machine, LLVMModuleRef module, LLVMCodeGenFileType type,
                         char **bytes, size_t *byte_count, mf_diag *diag) {
    LLVMMemoryBufferRef buffer;
    mf_status status = target_compile(machine, module, type, &buffer, diag);
    return status == MF_OK ? take_buffer(buffer, bytes, byte_count, diag) : status;
}

static mf_status print_kind(LLVMTargetMachineRef machine, LLVMModuleRef module, mf_emit_kind kind,
                            char **bytes, size_t *byte_count, mf_diag *diag) {
    switch (kind) {
    case MF_EMIT_BITCODE:
        return take_buffer(LLVMWriteBitcodeToMemoryBuffer(module), bytes, byte_count, diag);
    case MF_EMIT_ASSEMBLY:
        return compile(machine, module, LLVMAssemblyFile, bytes, byte_count, diag);
    case MF_EMIT_OBJECT:
        return compile(machine, module, LLVMObjectFile, bytes, byte_count, diag);
    default:
        return print_ir(module, bytes, byte_count, diag);
    }
}

/* ---- Module ---- */

/*
 * A pointer to the runtime's ABI stamp that no linker drops (llvm.used retains its section), so that an
 * object of another ABI version does not link even if none of its functions calls the runtime.
 */
static void define_stamp(const ir *ir) {
    LLVMValueRef stamp = LLVMAddGlobal(ir->module, ir->t_i8, MF_ABI_STAMP_SYMBOL);
    LLVMSetGlobalConstant(stamp, true);
    LLVMValueRef link = LLVMAddGlobal(ir->module, ir->t_ptr, "memfold.abi");
    LLVMSetInitializer(link, stamp);
    LLVMSetGlobalConstant(link, true);
    LLVMSetLinkage(link, LLVMInternalLinkage);
    LLVMSetSection(link, ".data.rel.ro.memfold_abi");

    LLVMValueRef v_used = LLVMConstArray2(ir->t_ptr, &link, 1);
    LLVMValueRef used = LLVMAddGlobal(ir->module, LLVMTypeOf(v_used), "llvm.used");
    LLVMSetInitializer(used, v_used);
    LLVMSetLinkage(used, LLVMAppendingLinkage);
    LLVMSetSection(used, "llvm.metadata");
}

/*
 * Machine code may end up in a kernel: no red zone, no vector registers. Only there, because a client that
 * inlines IR or bitcode would inherit these limits and no longer vectorise.
 */
static void restrict_machine_code(const ir *ir) {
    static const ir_attribute LIMITS[] = {{"noredzone", 0}, {"noimplicitfloat", 0}, {NULL, 0}};
    for (LLVMValueRef f = LLVMGetFirstFunction(ir->module); f != NULL; f = LLVMGetNextFunction(f))
        if (!LLVMIsDeclaration(f))
            ir_add_function_attributes(ir, f, LIMITS);
}

static mf_status verify(LLVMModuleRef module, mf_diag *diag) {
    char *error = NULL;
    mf_status status = MF_OK;
    if (LLVMVerifyModule(module, LLVMReturnStatusAction, &error))
        status = mf_diag_set(diag, MF_LLVM, 0, "LLVM refuses the emitted module: %s", error);
    LLVMDisposeMessage(error);
    return status;
}

static mf_status fill_module(LLVMModuleRef module, LLVMBuilderRef builder, const mf_layout *layout,
                             const mf_aot_options *options, mf_emit_kind kind, mf_diag *diag) {
    ir ir;
    mf_status status = ir_init(&ir, module, builder, diag);
    if (status == MF_OK)
        status = emit_set(&ir, layout, &options->accessors, options->symbol_prefix, diag);
    if (status != MF_OK)
        return status;
    define_stamp(&ir);
    if (kind == MF_EMIT_OBJECT || kind == MF_EMIT_ASSEMBLY)
        restrict_machine_code(&ir);
    return verify(module, diag);
}

static mf_status emit_module(LLVMTargetMachineRef machine, const mf_layout *layout,
                             const mf_aot_options *options, mf_emit_kind kind, char **bytes,
                             size_t *byte_count, mf_diag *diag) {
    mf_diag error;
    LLVMContextRef context = target_context_create(&error);
    LLVMModuleRef module = target_module_create(machine, context, options->symbol_prefix);
    LLVMBuilderRef builder = LLVMCreateBuilderInContext(context);
    mf_status status = fill_module(module, builder, layout, options, kind, diag);
    if (status == MF_OK)
        status = print_kind(machine, module, kind, bytes, byte_count, diag);
    LLVMDisposeBuilder(builder);
    LLVMDisposeModule(module);
    LLVMContextDispose(context);
    return status;
}

mf_status mf_aot_emit(const mf_layout *layout, const mf_aot_options *options, mf_emit_kind kind, char **bytes,
                      size_t *byte_count, mf_diag *diag) {
    LLVMTargetMachineRef machine;
    mf_status status = validate(options, kind, diag);
    if (status != MF_OK)
        return status;
    status = target_create(options->target, &machine, diag);
    if (status != MF_OK)
        return status;
    status = kind == MF_EMIT_HEADER ? header_print(layout, options, bytes, byte_count, diag)
                                    : emit_module(machine, layout, options, kind, bytes, byte_count, diag);
    LLVMDisposeTargetMachine(machine);
    return status;
}
