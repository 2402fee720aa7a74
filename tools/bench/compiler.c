/* From an engine to machine code: the loops' bitcode, linked with the engine, optimised, JITed. */
#include "bench/compiler.h"

#include "bench/bitcode.h"

#include <memfold/embed.h>
#include <memfold/exception_table.h>
#include <memfold/generic.h>

#include <llvm-c/BitReader.h>
#include <llvm-c/Core.h>
#include <llvm-c/Error.h>
#include <llvm-c/LLJIT.h>
#include <llvm-c/Linker.h>
#include <llvm-c/Orc.h>
#include <llvm-c/Target.h>
#include <llvm-c/TargetMachine.h>
#include <llvm-c/Transforms/PassBuilder.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PEERS_MAX 16

typedef struct compiled_peer {
    const char *name;
    bench_code code;
} compiled_peer;

struct bench_compiler {
    LLVMOrcLLJITRef lljit;
    LLVMTargetMachineRef machine;
    unsigned modules; /* so far: their functions are numbered */
    compiled_peer peers[PEERS_MAX];
    size_t peer_count;
    mf_jit *jit; /* for engines that are called */
};

/* A module between the loops' bitcode and the JIT. */
typedef struct module_draft {
    LLVMOrcThreadSafeContextRef owner;
    LLVMContextRef context;
    LLVMModuleRef module;
    unsigned number; /* of its symbols */
} module_draft;

static const char *const loop_names[LOOP_COUNT] = {"loop_random", "loop_dependent", "loop_sequential",
                                                   "loop_scalar"};

/* ---- Errors ---- */

static mf_status take_error(LLVMErrorRef error, const char *doing, mf_diag *diag) {
    if (error == NULL)
        return MF_OK;
    char *message = LLVMGetErrorMessage(error);
    mf_status status = mf_diag_set(diag, MF_LLVM, 0, "%s: %s", doing, message);
    LLVMDisposeErrorMessage(message);
    return status;
}

/* ---- The compiler ---- */

static mf_status define_runtime(bench_compiler *compiler, mf_diag *diag) {
    size_t count;
    const mf_runtime_symbol *symbols = mf_runtime_symbols(&count);
    LLVMOrcCSymbolMapPair *pairs = calloc(count, sizeof *pairs);
    if (pairs == NULL)
        return mf_diag_set(diag, MF_LLVM, 0, "out of memory");
    for (size_t i = 0; i < count; i++) {
        pairs[i].Name = LLVMOrcLLJITMangleAndIntern(compiler->lljit, symbols[i].name);
        pairs[i].Sym.Address = (uintptr_t)symbols[i].address;
        pairs[i].Sym.Flags.GenericFlags = LLVMJITSymbolGenericFlagsExported;
    }
    LLVMOrcJITDylibRef dylib = LLVMOrcLLJITGetMainJITDylib(compiler->lljit);
    LLVMOrcMaterializationUnitRef unit = LLVMOrcAbsoluteSymbols(pairs, count);
    free(pairs);
    return take_error(LLVMOrcJITDylibDefine(dylib, unit), "the runtime's symbols", diag);
}

/* The same machine for all engines: this one. */
static mf_status create_machine(bench_compiler *compiler, mf_diag *diag) {
    const char *triple = LLVMOrcLLJITGetTripleString(compiler->lljit);
    LLVMTargetRef target;
    char *message = NULL;
    if (LLVMGetTargetFromTriple(triple, &target, &message)) {
        mf_status status = mf_diag_set(diag, MF_LLVM, 0, "%s", message);
        LLVMDisposeMessage(message);
        return status;
    }
    char *processor = LLVMGetHostCPUName();
    char *features = LLVMGetHostCPUFeatures();
    compiler->machine =
        LLVMCreateTargetMachine(target, triple, processor, features, LLVMCodeGenLevelAggressive, LLVMRelocPIC,
                                LLVMCodeModelJITDefault);
    LLVMDisposeMessage(features);
    LLVMDisposeMessage(processor);
    return compiler->machine == NULL ? mf_diag_set(diag, MF_LLVM, 0, "no target machine") : MF_OK;
}

static mf_status start(bench_compiler *compiler, mf_diag *diag) {
    LLVMInitializeNativeTarget();
    LLVMInitializeNativeAsmPrinter();
    LLVMInitializeNativeAsmParser();
    mf_status status = take_error(LLVMOrcCreateLLJIT(&compiler->lljit, NULL), "LLJIT", diag);
    if (status == MF_OK)
        status = create_machine(compiler, diag);
    if (status == MF_OK)
        status = define_runtime(compiler, diag);
    if (status == MF_OK)
        status = mf_jit_create(NULL, &compiler->jit, diag);
    return status;
}

bench_compiler *bench_compiler_create(mf_diag *diag) {
    bench_compiler *compiler = calloc(1, sizeof *compiler);
    if (compiler == NULL) {
        mf_diag_set(diag, MF_LLVM, 0, "out of memory");
        return NULL;
    }
    if (start(compiler, diag) == MF_OK)
        return compiler;
    bench_compiler_destroy(compiler);
    return NULL;
}

void bench_compiler_destroy(bench_compiler *compiler) {
    if (compiler == NULL)
        return;
    if (compiler->lljit != NULL)
        LLVMConsumeError(LLVMOrcDisposeLLJIT(compiler->lljit));
    if (compiler->machine != NULL)
        LLVMDisposeTargetMachine(compiler->machine);
    mf_jit_destroy(compiler->jit);
    free(compiler);
}

/* ---- Modules ---- */

static mf_status parse(LLVMContextRef context, const char *begin, const char *end, LLVMModuleRef *module,
                       mf_diag *diag) {
    LLVMMemoryBufferRef buffer =
        LLVMCreateMemoryBufferWithMemoryRange(begin, (size_t)(end - begin), "bench", false);
    bool failed = LLVMParseBitcodeInContext2(context, buffer, module);
    LLVMDisposeMemoryBuffer(buffer);
    return failed ? mf_diag_set(diag, MF_LLVM, 0, "the loops' bitcode is not readable") : MF_OK;
}

static mf_status begin_module(bench_compiler *compiler, module_draft *draft, mf_diag *diag) {
    *draft = (module_draft){.owner = LLVMOrcCreateNewThreadSafeContext(), .number = compiler->modules++};
    draft->context = LLVMOrcThreadSafeContextGetContext(draft->owner);
    mf_status status =
        parse(draft->context, bench_loops_bitcode, bench_loops_bitcode_end, &draft->module, diag);
    if (status != MF_OK)
        return status;
    LLVMSetDataLayout(draft->module, LLVMOrcLLJITGetDataLayoutStr(compiler->lljit));
    LLVMSetTarget(draft->module, LLVMOrcLLJITGetTripleString(compiler->lljit));
    return MF_OK;
}

static mf_status link_peers(module_draft *draft, mf_diag *diag) {
    LLVMModuleRef peers = NULL;
    mf_status status = parse(draft->context, bench_peers_bitcode, bench_peers_bitcode_end, &peers, diag);
    if (status != MF_OK)
        return status;
    LLVMSetDataLayout(peers, LLVMGetDataLayoutStr(draft->module));
    LLVMSetTarget(peers, LLVMGetTarget(draft->module));
    return LLVMLinkModules2(draft->module, peers) ? mf_diag_set(diag, MF_LLVM, 0, "the peers do not link")
                                                  : MF_OK;
}

/* The loops call `f_engine` instead of the function that they declare. */
static void replace(LLVMModuleRef module, const char *declared, LLVMValueRef f_engine) {
    LLVMValueRef f_declared = LLVMGetNamedFunction(module, declared);
    LLVMReplaceAllUsesWith(f_declared, f_engine);
    LLVMDeleteFunction(f_declared);
}

static LLVMValueRef peer_function(LLVMModuleRef module, const char *peer, const char *accessor) {
    char name[BENCH_ENGINE_NAME_BYTES * 2];
    snprintf(name, sizeof name, "%s_%s", peer, accessor);
    return LLVMGetNamedFunction(module, name);
}

static mf_status insert_peer(module_draft *draft, const char *peer, mf_diag *diag) {
    mf_status status = link_peers(draft, diag);
    if (status != MF_OK)
        return status;
    LLVMValueRef f_load = peer_function(draft->module, peer, "load_u32");
    LLVMValueRef f_store = peer_function(draft->module, peer, "store_u32");
    replace(draft->module, "engine_load_u32", f_load);
    replace(draft->module, "engine_store_u32", f_store);
    return MF_OK;
}

/* Whether its accesses are listed in an exception table. */
static bool has_table(const bench_engine *spec) {
    return spec->form == FORM_INLINED && spec->options.backend == MF_BACKEND_X86_PAGED;
}

static void number_name(char name[64], const char *stem, unsigned number) {
    snprintf(name, 64, "%s_%u", stem, number);
}

static mf_status insert_memfold(module_draft *draft, const bench_engine *spec, const mf_layout *layout,
                                mf_diag *diag) {
    LLVMValueRef f_accessors[MF_ACCESSOR_COUNT];
    mf_status status = mf_embed_define(draft->module, layout, &spec->options, "memfold", f_accessors, diag);
    if (status != MF_OK)
        return status;
    replace(draft->module, "engine_load_u32", f_accessors[MF_LOAD_U32]);
    replace(draft->module, "engine_store_u32", f_accessors[MF_STORE_U32]);
    if (!has_table(spec))
        return MF_OK;
    char name[64];
    number_name(name, "entries", draft->number);
    return mf_embed_define_exception_table(draft->module, name, diag);
}

/*
 * Only the loops stay visible, under numbered names. clang has written its default processor into each
 * function; without that all are compiled for the machine's own.
 */
static void settle(module_draft *draft) {
    static const char *const attributes[] = {"target-cpu", "target-features", "tune-cpu"};
    for (LLVMValueRef f_function = LLVMGetFirstFunction(draft->module); f_function != NULL;
         f_function = LLVMGetNextFunction(f_function)) {
        for (size_t i = 0; i < 3; i++)
            LLVMRemoveStringAttributeAtIndex(f_function, (LLVMAttributeIndex)LLVMAttributeFunctionIndex,
                                             attributes[i], (unsigned)strlen(attributes[i]));
        if (!LLVMIsDeclaration(f_function))
            LLVMSetLinkage(f_function, LLVMInternalLinkage);
    }
    for (int i = 0; i < LOOP_COUNT; i++) {
        char name[64];
        LLVMValueRef f_loop = LLVMGetNamedFunction(draft->module, loop_names[i]);
        number_name(name, loop_names[i], draft->number);
        LLVMSetLinkage(f_loop, LLVMExternalLinkage);
        LLVMSetAlignment(f_loop, 64);
        LLVMSetValueName2(f_loop, name, strlen(name));
    }
}

static mf_status optimise(bench_compiler *compiler, LLVMModuleRef module, mf_diag *diag) {
    LLVMPassBuilderOptionsRef options = LLVMCreatePassBuilderOptions();
    LLVMPassBuilderOptionsSetLoopVectorization(options, true);
    LLVMPassBuilderOptionsSetSLPVectorization(options, true);
    LLVMPassBuilderOptionsSetLoopInterleaving(options, true);
    LLVMPassBuilderOptionsSetLoopUnrolling(options, true);
    LLVMErrorRef error = LLVMRunPasses(module, "default<O3>", compiler->machine, options);
    LLVMDisposePassBuilderOptions(options);
    return take_error(error, "optimise", diag);
}

/* ---- Code ---- */

/* The address of a numbered symbol. */
static mf_status find(bench_compiler *compiler, const char *stem, unsigned number, uintptr_t *address,
                      mf_diag *diag) {
    char name[64];
    LLVMOrcExecutorAddress found = 0;
    number_name(name, stem, number);
    mf_status status = take_error(LLVMOrcLLJITLookup(compiler->lljit, &found, name), name, diag);
    *address = (uintptr_t)found;
    return status;
}

static mf_status find_loops(bench_compiler *compiler, unsigned number, bench_code *code, mf_diag *diag) {
    for (int i = 0; i < LOOP_COUNT; i++) {
        uintptr_t address;
        mf_status status = find(compiler, loop_names[i], number, &address, diag);
        if (status != MF_OK)
            return status;
        code->loops[i] = (guest_loop *)address;
    }
    return MF_OK;
}

static mf_status register_table(bench_compiler *compiler, unsigned number, bench_code *code, mf_diag *diag) {
    uintptr_t address;
    mf_status status = find(compiler, "entries", number, &address, diag);
    if (status != MF_OK)
        return status;
    const mf_embed_exception_table *table = (const mf_embed_exception_table *)address;
    status = mf_exception_table_register(table->begin, (size_t)(table->end - table->begin), diag);
    if (status == MF_OK)
        code->entries = table->begin;
    return status;
}

/* Gives the module to the JIT, which owns it from then on, and finds its loops. */
static mf_status load(bench_compiler *compiler, module_draft *draft, bench_code *code, mf_diag *diag) {
    LLVMOrcJITDylibRef dylib = LLVMOrcLLJITGetMainJITDylib(compiler->lljit);
    LLVMOrcThreadSafeModuleRef taken = LLVMOrcCreateNewThreadSafeModule(draft->module, draft->owner);
    draft->module = NULL;
    code->tracker = LLVMOrcJITDylibCreateResourceTracker(dylib);
    LLVMErrorRef error = LLVMOrcLLJITAddLLVMIRModuleWithRT(compiler->lljit, code->tracker, taken);
    mf_status status = take_error(error, "add a module", diag);
    return status == MF_OK ? find_loops(compiler, draft->number, code, diag) : status;
}

static void draft_fini(module_draft *draft) {
    if (draft->module != NULL)
        LLVMDisposeModule(draft->module);
    LLVMOrcDisposeThreadSafeContext(draft->owner);
}

/* Inserts the engine and compiles: a peer's prefix, or memfold's accessors for a layout. */
static mf_status make_module(bench_compiler *compiler, const bench_engine *spec, const char *peer,
                             const mf_layout *layout, bench_code *code, mf_diag *diag) {
    module_draft draft;
    mf_status status = begin_module(compiler, &draft, diag);
    if (status == MF_OK)
        status = peer != NULL ? insert_peer(&draft, peer, diag) : insert_memfold(&draft, spec, layout, diag);
    if (status == MF_OK) {
        settle(&draft);
        status = optimise(compiler, draft.module, diag);
    }
    if (status == MF_OK)
        status = load(compiler, &draft, code, diag);
    if (status == MF_OK && peer == NULL && has_table(spec))
        status = register_table(compiler, draft.number, code, diag);
    draft_fini(&draft);
    return status;
}

/* A peer does not depend on the layout: it is compiled once, and its code stays with the compiler. */
static mf_status compile_peer(bench_compiler *compiler, const bench_engine *spec, const char *peer,
                              bench_code *code, mf_diag *diag) {
    for (size_t i = 0; i < compiler->peer_count; i++)
        if (strcmp(compiler->peers[i].name, peer) == 0) {
            *code = compiler->peers[i].code;
            return MF_OK;
        }
    mf_status status = make_module(compiler, spec, peer, NULL, code, diag);
    if (code->tracker != NULL)
        LLVMOrcReleaseResourceTracker(code->tracker);
    code->tracker = NULL;
    if (status == MF_OK)
        compiler->peers[compiler->peer_count++] = (compiled_peer){peer, *code};
    return status;
}

mf_status bench_compiler_compile(bench_compiler *compiler, const bench_engine *spec, const mf_layout *layout,
                                 bench_code *code, mf_diag *diag) {
    *code = (bench_code){0};
    mf_status status = MF_OK;
    switch (spec->form) {
    case FORM_PEER:
        return compile_peer(compiler, spec, spec->peer, code, diag);
    case FORM_INLINED:
        return make_module(compiler, spec, NULL, layout, code, diag);
    case FORM_CALLED:
    case FORM_GENERIC:
        break;
    }
    status = compile_peer(compiler, spec, "called", code, diag);
    if (status == MF_OK && spec->form == FORM_CALLED)
        status = mf_jit_get(compiler->jit, layout, &spec->options, &code->called, diag);
    if (status == MF_OK)
        code->accessors = code->called != NULL ? mf_code_accessors(code->called) : mf_generic_accessors(NULL);
    return status;
}

void bench_code_fini(bench_code *code) {
    if (code->entries != NULL)
        mf_exception_table_unregister(code->entries);
    if (code->tracker != NULL) {
        LLVMConsumeError(LLVMOrcResourceTrackerRemove(code->tracker));
        LLVMOrcReleaseResourceTracker(code->tracker);
    }
    mf_code_release(code->called);
    *code = (bench_code){0};
}
