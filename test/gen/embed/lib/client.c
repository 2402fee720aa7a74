#include "client.h"

#include "llvm_api.h"

#include <memfold/embed.h>

#include <llvm-c/Analysis.h>
#include <llvm-c/Error.h>
#include <llvm-c/Target.h>
#include <llvm-c/Transforms/PassBuilder.h>

#include <stdio.h>
#include <stdlib.h>

static LLVMOrcLLJITRef lljit;
static LLVMTargetMachineRef machine;

static void check(LLVMErrorRef error, const char *doing) {
    if (error == NULL)
        return;
    printf("%s: %s\n", doing, LLVMGetErrorMessage(error));
    exit(1);
}

void client_must(mf_status status, const mf_diag *diag, const char *doing) {
    if (status == MF_OK)
        return;
    printf("%s: %s: %s\n", doing, mf_status_name(status), diag->message);
    exit(1);
}

/* ---- The JIT ---- */

/* memfold's runtime under the names that generated code calls. */
static void define_runtime(void) {
    size_t count;
    const mf_runtime_symbol *symbols = mf_runtime_symbols(&count);
    LLVMOrcCSymbolMapPair *pairs = calloc(count, sizeof *pairs);
    for (size_t i = 0; i < count; i++) {
        pairs[i].Name = LLVMOrcLLJITMangleAndIntern(lljit, symbols[i].name);
        pairs[i].Sym.Address = (uintptr_t)symbols[i].address;
        pairs[i].Sym.Flags.GenericFlags = LLVMJITSymbolGenericFlagsExported;
    }
    LLVMOrcJITDylibRef dylib = LLVMOrcLLJITGetMainJITDylib(lljit);
    check(LLVMOrcJITDylibDefine(dylib, LLVMOrcAbsoluteSymbols(pairs, count)), "define the runtime");
    free(pairs);
}

static LLVMTargetMachineRef create_machine(LLVMCodeGenOptLevel level) {
    char *triple = LLVMGetDefaultTargetTriple();
    char *processor = LLVMGetHostCPUName();
    char *features = LLVMGetHostCPUFeatures();
    LLVMTargetRef target;
    char *message;
    if (LLVMGetTargetFromTriple(triple, &target, &message)) {
        printf("%s\n", message);
        exit(1);
    }
    LLVMTargetMachineRef made = LLVMCreateTargetMachine(target, triple, processor, features, level,
                                                        LLVMRelocPIC, LLVMCodeModelJITDefault);
    LLVMDisposeMessage(features);
    LLVMDisposeMessage(processor);
    LLVMDisposeMessage(triple);
    return made;
}

void client_start(void) {
    client_start_at(LLVMCodeGenLevelDefault);
}

/* The builder takes the template, and the LLJIT the builder. */
void client_start_at(LLVMCodeGenOptLevel level) {
    LLVMInitializeNativeTarget();
    LLVMInitializeNativeAsmPrinter();
    LLVMInitializeNativeAsmParser();
    LLVMOrcLLJITBuilderRef builder = NULL;
    if (level != LLVMCodeGenLevelDefault) {
        builder = LLVMOrcCreateLLJITBuilder();
        LLVMOrcLLJITBuilderSetJITTargetMachineBuilder(
            builder, LLVMOrcJITTargetMachineBuilderCreateFromTargetMachine(create_machine(level)));
    }
    check(LLVMOrcCreateLLJIT(&lljit, builder), "create an LLJIT");
    machine = create_machine(LLVMCodeGenLevelDefault);
    define_runtime();
}

void client_stop(void) {
    check(LLVMOrcDisposeLLJIT(lljit), "dispose of the LLJIT");
    LLVMDisposeTargetMachine(machine);
}

uintptr_t client_lookup(const char *name) {
    LLVMOrcExecutorAddress address;
    check(LLVMOrcLLJITLookup(lljit, &address, name), name);
    return (uintptr_t)address;
}

/* ---- Modules ---- */

client_module client_module_create(const char *name) {
    client_module m = {0};
    m.owner = llvm_api_create_context(&m.context);
    m.module = LLVMModuleCreateWithNameInContext(name, m.context);
    LLVMSetDataLayout(m.module, LLVMOrcLLJITGetDataLayoutStr(lljit));
    LLVMSetTarget(m.module, LLVMOrcLLJITGetTripleString(lljit));
    m.builder = LLVMCreateBuilderInContext(m.context);
    return m;
}

void client_module_destroy(client_module *m) {
    LLVMDisposeBuilder(m->builder);
    if (m->module != NULL)
        LLVMDisposeModule(m->module);
    LLVMOrcDisposeThreadSafeContext(m->owner);
    *m = (client_module){0};
}

LLVMValueRef client_function_begin(const client_module *m, const char *name, LLVMTypeRef type) {
    LLVMValueRef function = LLVMAddFunction(m->module, name, type);
    LLVMPositionBuilderAtEnd(m->builder, LLVMAppendBasicBlockInContext(m->context, function, "entry"));
    return function;
}

static void verify(LLVMModuleRef module, const char *when) {
    char *message = NULL;
    if (LLVMVerifyModule(module, LLVMReturnStatusAction, &message)) {
        printf("%s: %s\n%s\n", when, message, LLVMPrintModuleToString(module));
        exit(1);
    }
    LLVMDisposeMessage(message);
}

void client_module_optimise(const client_module *m, const char *pipeline) {
    verify(m->module, "before optimisation");
    if (pipeline == NULL)
        return;
    LLVMPassBuilderOptionsRef options = LLVMCreatePassBuilderOptions();
    check(LLVMRunPasses(m->module, pipeline, machine, options), pipeline);
    LLVMDisposePassBuilderOptions(options);
    verify(m->module, pipeline);
}

/* ---- Code ---- */

static const mf_exception_entry *register_table(const char *table) {
    mf_diag diag;
    const mf_embed_exception_table *entries = (const mf_embed_exception_table *)client_lookup(table);
    size_t count = (size_t)(entries->end - entries->begin);
    client_must(mf_exception_table_register(entries->begin, count, &diag), &diag, "register");
    return entries->begin;
}

client_code client_module_load(client_module *m, const char *table) {
    LLVMOrcJITDylibRef dylib = LLVMOrcLLJITGetMainJITDylib(lljit);
    client_code code = {.tracker = LLVMOrcJITDylibCreateResourceTracker(dylib)};
    LLVMOrcThreadSafeModuleRef taken = LLVMOrcCreateNewThreadSafeModule(m->module, m->owner);
    m->module = NULL;
    check(LLVMOrcLLJITAddLLVMIRModuleWithRT(lljit, code.tracker, taken), "add a module");
    client_module_destroy(m);
    if (table != NULL)
        code.entries = register_table(table);
    return code;
}

void client_code_unload(client_code *code) {
    if (code->entries != NULL)
        mf_exception_table_unregister(code->entries);
    check(LLVMOrcResourceTrackerRemove(code->tracker), "remove code");
    LLVMOrcReleaseResourceTracker(code->tracker);
    *code = (client_code){0};
}
