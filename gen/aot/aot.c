/* Accessors ahead of time. */
#include <memfold/aot.h>

#include "aot/header.h"
#include "aot/module.h"
#include "plan/prefix.h"
#include "emit/set.h"
#include "ir/entry.h"
#include "ir/target.h"

#include <memfold/version.h>

#include <llvm-c/BitWriter.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void mf_aot_free(char *bytes) {
    free(bytes);
}

/* ---- Input ---- */

/* What memfold itself defines, in objects and as macros of its headers, begins so, in either case. */
static bool is_reserved(const char *prefix) {
    return strncasecmp(prefix, "mf", 2) == 0 && (prefix[2] == '_' || prefix[2] == '\0');
}

static mf_status validate(const mf_aot_options *options, mf_emit_kind kind, mf_diag *diag) {
    mf_status status = prefix_validate(options->symbol_prefix, diag);
    if (status != MF_OK)
        return status;
    if (is_reserved(options->symbol_prefix))
        return mf_diag_set(diag, MF_INVALID_ARGUMENT, 0,
                           "the symbol prefix '%s' is refused: names that begin with mf_ are memfold's own",
                           options->symbol_prefix);
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

/* ---- The whole ---- */

/* The prefix has been validated, so it fits. */
static mf_object_note note_make(const mf_layout *layout, const mf_aot_options *options) {
    mf_object_note note = {.version = MF_VERSION,
                           .abi_version = MF_ABI_VERSION,
                           .fingerprint = mf_layout_fingerprint(layout),
                           .options = options->accessors};
    snprintf(note.prefix, sizeof note.prefix, "%s", options->symbol_prefix);
    return note;
}

static mf_status emit_module(LLVMTargetMachineRef machine, const mf_layout *layout,
                             const mf_aot_options *options, mf_emit_kind kind, char **bytes,
                             size_t *byte_count, mf_diag *diag) {
    mf_diag error;
    plan_set plans;
    mf_status status = plan_set_make(layout, &options->accessors, &plans, diag);
    if (status != MF_OK)
        return status;
    plan_fit fit = plan_fit_make(layout, &options->accessors, &plans);
    emit_input input = {
        .plans = &plans, .options = &options->accessors, .fit = fit, .prefix = options->symbol_prefix};
    LLVMContextRef context = target_context_create(&error);
    LLVMModuleRef module = target_module_create(machine, context, options->symbol_prefix);
    LLVMBuilderRef builder = LLVMCreateBuilderInContext(context);
    mf_object_note facts = note_make(layout, options);
    status = aot_module_fill(module, builder, &input, &facts, kind, diag);
    if (status == MF_OK)
        status = print_kind(machine, module, kind, bytes, byte_count, diag);
    LLVMDisposeBuilder(builder);
    LLVMDisposeModule(module);
    LLVMContextDispose(context);
    plan_set_fini(&plans);
    return status;
}

static mf_status check_backend(LLVMTargetMachineRef machine, mf_backend backend, mf_diag *diag) {
    char *triple = LLVMGetTargetMachineTriple(machine);
    mf_status status = target_check_backend(triple, backend, diag);
    LLVMDisposeMessage(triple);
    return status;
}

static mf_status emit_for_target(const mf_layout *layout, const mf_aot_options *options, mf_emit_kind kind,
                                 char **bytes, size_t *byte_count, mf_diag *diag) {
    LLVMTargetMachineRef machine;
    mf_status status = target_create(options->target, &machine, diag);
    if (status != MF_OK)
        return status;
    status = check_backend(machine, options->accessors.backend, diag);
    if (status != MF_OK) {
        LLVMDisposeTargetMachine(machine);
        return status;
    }
    status = kind == MF_EMIT_HEADER ? header_print(layout, options, bytes, byte_count, diag)
                                    : emit_module(machine, layout, options, kind, bytes, byte_count, diag);
    LLVMDisposeTargetMachine(machine);
    return status;
}

mf_status mf_aot_emit(const mf_layout *layout, const mf_aot_options *options, mf_emit_kind kind, char **bytes,
                      size_t *byte_count, mf_diag *diag) {
    mf_status status = validate(options, kind, diag);
    if (status != MF_OK)
        return status;
    entry_begin();
    status = entry_foresee(diag);
    if (status == MF_OK)
        status = emit_for_target(layout, options, kind, bytes, byte_count, diag);
    entry_end();
    return status;
}
