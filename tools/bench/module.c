/* Modules: parsed, linked, optimised as a whole, and given to LLVM's JIT. */
#include "bench/module.h"

#include "llvm_api.h"

#include <memfold/embed.h>

#include <llvm-c/BitReader.h>
#include <llvm-c/Core.h>
#include <llvm-c/Error.h>
#include <llvm-c/LLJIT.h>
#include <llvm-c/Linker.h>
#include <llvm-c/Target.h>
#include <llvm-c/TargetMachine.h>
#include <llvm-c/Transforms/PassBuilder.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bench_jit {
    LLVMOrcLLJITRef lljit;
    LLVMTargetMachineRef machine;
    unsigned modules; /* so far: their symbols are numbered */
};

static mf_status take_error(LLVMErrorRef error, const char *doing, mf_diag *diag) {
    if (error == NULL)
        return MF_OK;
    char *message = LLVMGetErrorMessage(error);
    mf_status status = mf_diag_set(diag, MF_LLVM, 0, "%s: %s", doing, message);
    LLVMDisposeErrorMessage(message);
    return status;
}

/* ---- The JIT ---- */

static mf_status define_runtime(bench_jit *jit, mf_diag *diag) {
    size_t count;
    const mf_runtime_symbol *symbols = mf_runtime_symbols(&count);
    LLVMOrcCSymbolMapPair *pairs = calloc(count, sizeof *pairs);
    if (pairs == NULL)
        return mf_diag_set(diag, MF_LLVM, 0, "out of memory");
    for (size_t i = 0; i < count; i++) {
        pairs[i].Name = LLVMOrcLLJITMangleAndIntern(jit->lljit, symbols[i].name);
        pairs[i].Sym.Address = (uintptr_t)symbols[i].address;
        pairs[i].Sym.Flags.GenericFlags = LLVMJITSymbolGenericFlagsExported;
    }
    LLVMOrcJITDylibRef dylib = LLVMOrcLLJITGetMainJITDylib(jit->lljit);
    LLVMOrcMaterializationUnitRef unit = LLVMOrcAbsoluteSymbols(pairs, count);
    free(pairs);
    return take_error(LLVMOrcJITDylibDefine(dylib, unit), "the runtime's symbols", diag);
}

/* The same machine for all engines: this one. */
static mf_status create_machine(bench_jit *jit, mf_diag *diag) {
    const char *triple = LLVMOrcLLJITGetTripleString(jit->lljit);
    LLVMTargetRef target;
    char *message = NULL;
    if (LLVMGetTargetFromTriple(triple, &target, &message)) {
        mf_status status = mf_diag_set(diag, MF_LLVM, 0, "%s", message);
        LLVMDisposeMessage(message);
        return status;
    }
    char *processor = LLVMGetHostCPUName();
    char *features = LLVMGetHostCPUFeatures();
    jit->machine = LLVMCreateTargetMachine(target, triple, processor, features, LLVMCodeGenLevelAggressive,
                                           LLVMRelocPIC, LLVMCodeModelJITDefault);
    LLVMDisposeMessage(features);
    LLVMDisposeMessage(processor);
    return jit->machine == NULL ? mf_diag_set(diag, MF_LLVM, 0, "no target machine") : MF_OK;
}

static mf_status start(bench_jit *jit, mf_diag *diag) {
    LLVMInitializeNativeTarget();
    LLVMInitializeNativeAsmPrinter();
    LLVMInitializeNativeAsmParser();
    mf_status status = take_error(LLVMOrcCreateLLJIT(&jit->lljit, NULL), "LLJIT", diag);
    if (status == MF_OK)
        status = create_machine(jit, diag);
    return status == MF_OK ? define_runtime(jit, diag) : status;
}

bench_jit *bench_jit_create(mf_diag *diag) {
    bench_jit *jit = calloc(1, sizeof *jit);
    if (jit == NULL) {
        mf_diag_set(diag, MF_LLVM, 0, "out of memory");
        return NULL;
    }
    if (start(jit, diag) == MF_OK)
        return jit;
    bench_jit_destroy(jit);
    return NULL;
}

void bench_jit_destroy(bench_jit *jit) {
    if (jit == NULL)
        return;
    if (jit->lljit != NULL)
        LLVMConsumeError(LLVMOrcDisposeLLJIT(jit->lljit));
    if (jit->machine != NULL)
        LLVMDisposeTargetMachine(jit->machine);
    free(jit);
}

/* ---- Modules ---- */

static mf_status parse(LLVMContextRef context, bench_bitcode bitcode, LLVMModuleRef *module, mf_diag *diag) {
    size_t bytes = (size_t)(bitcode.end - bitcode.begin);
    LLVMMemoryBufferRef buffer = LLVMCreateMemoryBufferWithMemoryRange(bitcode.begin, bytes, "bench", false);
    bool failed = LLVMParseBitcodeInContext2(context, buffer, module);
    LLVMDisposeMemoryBuffer(buffer);
    return failed ? mf_diag_set(diag, MF_LLVM, 0, "the guest's bitcode is not readable") : MF_OK;
}

mf_status bench_module_begin(bench_jit *jit, bench_module *module, bench_bitcode bitcode, mf_diag *diag) {
    *module = (bench_module){.number = jit->modules++};
    module->owner = llvm_api_create_context(&module->context);
    mf_status status = parse(module->context, bitcode, &module->module, diag);
    if (status != MF_OK)
        return status;
    LLVMSetDataLayout(module->module, LLVMOrcLLJITGetDataLayoutStr(jit->lljit));
    LLVMSetTarget(module->module, LLVMOrcLLJITGetTripleString(jit->lljit));
    return MF_OK;
}

void bench_module_fini(bench_module *module) {
    if (module->module != NULL)
        LLVMDisposeModule(module->module);
    LLVMOrcDisposeThreadSafeContext(module->owner);
}

mf_status bench_module_link(bench_module *module, bench_bitcode bitcode, mf_diag *diag) {
    LLVMModuleRef added = NULL;
    mf_status status = parse(module->context, bitcode, &added, diag);
    if (status != MF_OK)
        return status;
    LLVMSetDataLayout(added, LLVMGetDataLayoutStr(module->module));
    LLVMSetTarget(added, LLVMGetTarget(module->module));
    return LLVMLinkModules2(module->module, added) ? mf_diag_set(diag, MF_LLVM, 0, "bitcode does not link")
                                                   : MF_OK;
}

void bench_module_replace(bench_module *module, const char *declared, LLVMValueRef f_engine) {
    LLVMValueRef f_declared = LLVMGetNamedFunction(module->module, declared);
    if (f_declared == NULL)
        return;
    LLVMReplaceAllUsesWith(f_declared, f_engine);
    LLVMDeleteFunction(f_declared);
}

void bench_module_name(char name[64], const char *stem, unsigned number) {
    snprintf(name, 64, "%s_%u", stem, number);
}

/*
 * clang has written its default processor into each function; without that all are compiled for the
 * machine's own.
 */
static void forget_processor(LLVMValueRef f_function) {
    static const char *const attributes[] = {"target-cpu", "target-features", "tune-cpu"};
    for (size_t i = 0; i < 3; i++)
        LLVMRemoveStringAttributeAtIndex(f_function, (LLVMAttributeIndex)LLVMAttributeFunctionIndex,
                                         attributes[i], (unsigned)strlen(attributes[i]));
}

void bench_module_settle(bench_module *module, const char *const *names, size_t count) {
    for (LLVMValueRef f_function = LLVMGetFirstFunction(module->module); f_function != NULL;
         f_function = LLVMGetNextFunction(f_function)) {
        forget_processor(f_function);
        if (!LLVMIsDeclaration(f_function))
            LLVMSetLinkage(f_function, LLVMInternalLinkage);
    }
    for (size_t i = 0; i < count; i++) {
        char name[64];
        LLVMValueRef f_visible = LLVMGetNamedFunction(module->module, names[i]);
        bench_module_name(name, names[i], module->number);
        LLVMSetLinkage(f_visible, LLVMExternalLinkage);
        LLVMSetAlignment(f_visible, 64);
        LLVMSetValueName2(f_visible, name, strlen(name));
    }
}

/*
 * LLVM's vectorisers leave functions with this attribute alone. "default<O3>" sets the vectorisers' options
 * itself, whatever is given to it.
 */
static void forbid_vectors(LLVMModuleRef module) {
    static const char name[] = "noimplicitfloat";
    LLVMContextRef context = LLVMGetModuleContext(module);
    unsigned kind = LLVMGetEnumAttributeKindForName(name, sizeof name - 1);
    for (LLVMValueRef f_function = LLVMGetFirstFunction(module); f_function != NULL;
         f_function = LLVMGetNextFunction(f_function))
        LLVMAddAttributeAtIndex(f_function, (LLVMAttributeIndex)LLVMAttributeFunctionIndex,
                                LLVMCreateEnumAttribute(context, kind, 0));
}

mf_status bench_module_optimise(bench_jit *jit, bench_module *module, bool vectorise, mf_diag *diag) {
    if (!vectorise)
        forbid_vectors(module->module);
    LLVMPassBuilderOptionsRef options = LLVMCreatePassBuilderOptions();
    LLVMErrorRef error = LLVMRunPasses(module->module, "default<O3>", jit->machine, options);
    LLVMDisposePassBuilderOptions(options);
    return take_error(error, "optimise", diag);
}

/* ---- Code ---- */

mf_status bench_module_load(bench_jit *jit, bench_module *module, void **tracker, mf_diag *diag) {
    LLVMOrcJITDylibRef dylib = LLVMOrcLLJITGetMainJITDylib(jit->lljit);
    LLVMOrcThreadSafeModuleRef taken = LLVMOrcCreateNewThreadSafeModule(module->module, module->owner);
    module->module = NULL;
    LLVMOrcResourceTrackerRef made = LLVMOrcJITDylibCreateResourceTracker(dylib);
    *tracker = made;
    LLVMErrorRef error = LLVMOrcLLJITAddLLVMIRModuleWithRT(jit->lljit, made, taken);
    return take_error(error, "add a module", diag);
}

void bench_module_keep(void *tracker) {
    if (tracker != NULL)
        LLVMOrcReleaseResourceTracker(tracker);
}

void bench_module_unload(void *tracker) {
    if (tracker == NULL)
        return;
    LLVMConsumeError(LLVMOrcResourceTrackerRemove(tracker));
    LLVMOrcReleaseResourceTracker(tracker);
}

mf_status bench_module_find(bench_jit *jit, const char *stem, unsigned number, uintptr_t *address,
                            mf_diag *diag) {
    char name[64];
    LLVMOrcExecutorAddress found = 0;
    bench_module_name(name, stem, number);
    mf_status status = take_error(LLVMOrcLLJITLookup(jit->lljit, &found, name), name, diag);
    *address = (uintptr_t)found;
    return status;
}
