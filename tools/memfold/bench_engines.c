/* The engines and their way to machine code: the loops' bitcode, linked with an engine, optimised, JITed. */
#include "bench.h"

#include "options.h"
#include "text.h"

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

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* bench_bitcode.c */
extern const char bench_loops_bitcode[], bench_loops_bitcode_end[];
extern const char bench_peers_bitcode[], bench_peers_bitcode_end[];

#define MOST_PEERS 16

struct compiled_peer {
    const char *name;
    struct engine_code code;
};

struct bench_compiler {
    LLVMOrcLLJITRef lljit;
    LLVMTargetMachineRef machine;
    unsigned modules; /* so far: their functions are numbered */
    struct compiled_peer peers[MOST_PEERS];
    size_t peer_count;
    mf_jit *jit; /* for engines that are called */
};

/* A module on its way. */
struct making {
    LLVMOrcThreadSafeContextRef owner;
    LLVMContextRef context;
    LLVMModuleRef module;
    unsigned number;
};

static const char *const loop_names[LOOP_COUNT] = {"loop_random", "loop_dependent", "loop_sequential",
                                                   "loop_scalar"};

/* ---- Errors ---- */

__attribute__((format(printf, 2, 3))) static mf_status fail(mf_diag *diag, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    *diag = (mf_diag){.status = MF_LLVM};
    vsnprintf(diag->message, sizeof diag->message, format, arguments);
    va_end(arguments);
    return MF_LLVM;
}

static mf_status take_error(LLVMErrorRef error, const char *doing, mf_diag *diag) {
    if (error == NULL)
        return MF_OK;
    char *message = LLVMGetErrorMessage(error);
    mf_status status = fail(diag, "%s: %s", doing, message);
    LLVMDisposeErrorMessage(message);
    return status;
}

/* ---- Which engines ---- */

static const struct engine_spec usual_engines[] = {
    {"raw", FORM_PEER, "raw", {0}, false, false, false},
    {"seed", FORM_PEER, "seed", {0}, false, false, false},
    {"list", FORM_PEER, "list", {0}, true, true, false},
    {"search", FORM_PEER, "search", {0}, true, true, false},
    {"bytes", FORM_PEER, "bytes", {0}, true, true, false},
    {"tlb", FORM_PEER, "tlb", {0}, true, true, false},
    {"mprotect", FORM_PEER, "raw", {.backend = MF_BACKEND_X86_PAGED}, false, false, false},
    {"generic", FORM_GENERIC, NULL, {0}, true, false, false},
    {"called-copy", FORM_CALLED, NULL, {0}, true, false, false},
    {"called-paged", FORM_CALLED, NULL, {.backend = MF_BACKEND_X86_PAGED}, true, false, true},
    {"inlined-copy", FORM_INLINED, NULL, {0}, true, false, false},
    {"inlined-paged", FORM_INLINED, NULL, {.backend = MF_BACKEND_X86_PAGED}, true, false, true},
};
#define USUAL_COUNT (sizeof usual_engines / sizeof usual_engines[0])

/* Hidden from help: it is wrong, by which the suite sees that the comparison notices. */
static const struct engine_spec broken_engine = {"broken", FORM_PEER, "broken", {0}, false, false, false};

/* The words of --strategy, where the other commands have them. */
static const char *strategy_choices(void) {
    const struct argp_option *option = accessor_argp.options;
    while (option->name == NULL || strcmp(option->name, "strategy") != 0)
        option++;
    return option->arg;
}

static void add_engine(struct engine_list *list, const struct engine_spec *spec) {
    if (list->count == MOST_ENGINES)
        usage_error("more than %d engines", MOST_ENGINES);
    list->all[list->count++] = *spec;
}

static void add_wanted(struct engine_list *list, const char *word) {
    for (size_t i = 0; i < USUAL_COUNT; i++)
        if (strcmp(usual_engines[i].name, word) == 0) {
            add_engine(list, &usual_engines[i]);
            return;
        }
    if (strcmp(word, broken_engine.name) != 0)
        usage_error("unknown engine '%s' for --engines", word);
    add_engine(list, &broken_engine);
}

static void add_strategy(struct engine_list *list, const char *word) {
    struct engine_spec spec = {.form = FORM_INLINED, .exact = true};
    spec.options.strategy = (mf_strategy)choice_take("strategy", strategy_choices(), word);
    snprintf(spec.name, sizeof spec.name, "copy:%s", word);
    add_engine(list, &spec);
}

static void each_word(struct engine_list *list, const char *words,
                      void take(struct engine_list *list, const char *word)) {
    char *copy = strdup(words);
    char *rest = copy;
    for (char *word; copy != NULL && (word = strsep(&rest, ",")) != NULL;)
        take(list, word);
    free(copy);
}

void engine_list_make(struct engine_list *list, const char *wanted, const char *strategies) {
    list->count = 0;
    if (wanted != NULL)
        each_word(list, wanted, add_wanted);
    for (size_t i = 0; wanted == NULL && i < USUAL_COUNT; i++)
        add_engine(list, &usual_engines[i]);
    if (strategies != NULL)
        each_word(list, strategies, add_strategy);
}

/* ---- The compiler ---- */

static mf_status define_runtime(bench_compiler *compiler, mf_diag *diag) {
    size_t count;
    const mf_runtime_symbol *symbols = mf_runtime_symbols(&count);
    LLVMOrcCSymbolMapPair *pairs = calloc(count, sizeof *pairs);
    if (pairs == NULL)
        return fail(diag, "out of memory");
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
        mf_status status = fail(diag, "%s", message);
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
    return compiler->machine == NULL ? fail(diag, "no target machine") : MF_OK;
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
        fail(diag, "out of memory");
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
    return failed ? fail(diag, "the loops' bitcode is not readable") : MF_OK;
}

static mf_status begin_module(bench_compiler *compiler, struct making *making, mf_diag *diag) {
    *making = (struct making){.owner = LLVMOrcCreateNewThreadSafeContext(), .number = compiler->modules++};
    making->context = LLVMOrcThreadSafeContextGetContext(making->owner);
    mf_status status =
        parse(making->context, bench_loops_bitcode, bench_loops_bitcode_end, &making->module, diag);
    if (status != MF_OK)
        return status;
    LLVMSetDataLayout(making->module, LLVMOrcLLJITGetDataLayoutStr(compiler->lljit));
    LLVMSetTarget(making->module, LLVMOrcLLJITGetTripleString(compiler->lljit));
    return MF_OK;
}

static mf_status link_peers(struct making *making, mf_diag *diag) {
    LLVMModuleRef peers = NULL;
    mf_status status = parse(making->context, bench_peers_bitcode, bench_peers_bitcode_end, &peers, diag);
    if (status != MF_OK)
        return status;
    LLVMSetDataLayout(peers, LLVMGetDataLayoutStr(making->module));
    LLVMSetTarget(peers, LLVMGetTarget(making->module));
    return LLVMLinkModules2(making->module, peers) ? fail(diag, "the peers do not link") : MF_OK;
}

/* In the loops, `declared` is `engine` from now on. */
static void replace(LLVMModuleRef module, const char *declared, LLVMValueRef engine) {
    LLVMValueRef old = LLVMGetNamedFunction(module, declared);
    LLVMReplaceAllUsesWith(old, engine);
    LLVMDeleteFunction(old);
}

static LLVMValueRef peer_function(LLVMModuleRef module, const char *peer, const char *accessor) {
    char name[ENGINE_NAME_BYTES * 2];
    snprintf(name, sizeof name, "%s_%s", peer, accessor);
    return LLVMGetNamedFunction(module, name);
}

static mf_status insert_peer(struct making *making, const char *peer, mf_diag *diag) {
    mf_status status = link_peers(making, diag);
    if (status != MF_OK)
        return status;
    LLVMValueRef load = peer_function(making->module, peer, "load_u32");
    LLVMValueRef store = peer_function(making->module, peer, "store_u32");
    replace(making->module, "engine_load_u32", load);
    replace(making->module, "engine_store_u32", store);
    return MF_OK;
}

static bool has_table(const struct engine_spec *spec) {
    return spec->form == FORM_INLINED && spec->options.backend == MF_BACKEND_X86_PAGED;
}

static void number_name(char name[64], const char *stem, unsigned number) {
    snprintf(name, 64, "%s_%u", stem, number);
}

static mf_status insert_memfold(struct making *making, const struct engine_spec *spec,
                                const mf_layout *layout, mf_diag *diag) {
    LLVMValueRef functions[MF_ACCESSOR_COUNT];
    mf_status status = mf_embed_define(making->module, layout, &spec->options, "memfold", functions, diag);
    if (status != MF_OK)
        return status;
    replace(making->module, "engine_load_u32", functions[MF_LOAD_U32]);
    replace(making->module, "engine_store_u32", functions[MF_STORE_U32]);
    if (!has_table(spec))
        return MF_OK;
    char name[64];
    number_name(name, "entries", making->number);
    return mf_embed_define_exception_table(making->module, name, diag);
}

/*
 * Only the loops stay visible, under numbered names. clang has written its default processor into each
 * function; without that all are compiled for the machine's own.
 */
static void settle(struct making *making) {
    static const char *const attributes[] = {"target-cpu", "target-features", "tune-cpu"};
    for (LLVMValueRef f = LLVMGetFirstFunction(making->module); f != NULL; f = LLVMGetNextFunction(f)) {
        for (size_t i = 0; i < 3; i++)
            LLVMRemoveStringAttributeAtIndex(f, (LLVMAttributeIndex)LLVMAttributeFunctionIndex, attributes[i],
                                             (unsigned)strlen(attributes[i]));
        if (!LLVMIsDeclaration(f))
            LLVMSetLinkage(f, LLVMInternalLinkage);
    }
    for (int i = 0; i < LOOP_COUNT; i++) {
        char name[64];
        LLVMValueRef loop = LLVMGetNamedFunction(making->module, loop_names[i]);
        number_name(name, loop_names[i], making->number);
        LLVMSetLinkage(loop, LLVMExternalLinkage);
        LLVMSetAlignment(loop, 64);
        LLVMSetValueName2(loop, name, strlen(name));
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

static mf_status find(bench_compiler *compiler, const char *stem, unsigned number, uintptr_t *address,
                      mf_diag *diag) {
    char name[64];
    LLVMOrcExecutorAddress found = 0;
    number_name(name, stem, number);
    mf_status status = take_error(LLVMOrcLLJITLookup(compiler->lljit, &found, name), name, diag);
    *address = (uintptr_t)found;
    return status;
}

static mf_status find_loops(bench_compiler *compiler, unsigned number, struct engine_code *code,
                            mf_diag *diag) {
    for (int i = 0; i < LOOP_COUNT; i++) {
        uintptr_t address;
        mf_status status = find(compiler, loop_names[i], number, &address, diag);
        if (status != MF_OK)
            return status;
        code->loops[i] = (bench_loop *)address;
    }
    return MF_OK;
}

static mf_status register_table(bench_compiler *compiler, unsigned number, struct engine_code *code,
                                mf_diag *diag) {
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

/* Takes the module. */
static mf_status load(bench_compiler *compiler, struct making *making, struct engine_code *code,
                      mf_diag *diag) {
    LLVMOrcJITDylibRef dylib = LLVMOrcLLJITGetMainJITDylib(compiler->lljit);
    LLVMOrcThreadSafeModuleRef taken = LLVMOrcCreateNewThreadSafeModule(making->module, making->owner);
    making->module = NULL;
    code->tracker = LLVMOrcJITDylibCreateResourceTracker(dylib);
    LLVMErrorRef error = LLVMOrcLLJITAddLLVMIRModuleWithRT(compiler->lljit, code->tracker, taken);
    mf_status status = take_error(error, "add a module", diag);
    return status == MF_OK ? find_loops(compiler, making->number, code, diag) : status;
}

static void making_fini(struct making *making) {
    if (making->module != NULL)
        LLVMDisposeModule(making->module);
    LLVMOrcDisposeThreadSafeContext(making->owner);
}

/* Inserts the engine and compiles: a peer's prefix, or memfold's accessors for a layout. */
static mf_status make_module(bench_compiler *compiler, const struct engine_spec *spec, const char *peer,
                             const mf_layout *layout, struct engine_code *code, mf_diag *diag) {
    struct making making;
    mf_status status = begin_module(compiler, &making, diag);
    if (status == MF_OK)
        status =
            peer != NULL ? insert_peer(&making, peer, diag) : insert_memfold(&making, spec, layout, diag);
    if (status == MF_OK) {
        settle(&making);
        status = optimise(compiler, making.module, diag);
    }
    if (status == MF_OK)
        status = load(compiler, &making, code, diag);
    if (status == MF_OK && peer == NULL && has_table(spec))
        status = register_table(compiler, making.number, code, diag);
    making_fini(&making);
    return status;
}

static mf_status compile_peer(bench_compiler *compiler, const struct engine_spec *spec, const char *peer,
                              struct engine_code *code, mf_diag *diag) {
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
        compiler->peers[compiler->peer_count++] = (struct compiled_peer){peer, *code};
    return status;
}

mf_status engine_compile(bench_compiler *compiler, const struct engine_spec *spec, const mf_layout *layout,
                         struct engine_code *code, mf_diag *diag) {
    *code = (struct engine_code){0};
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

void engine_code_fini(struct engine_code *code) {
    if (code->entries != NULL)
        mf_exception_table_unregister(code->entries);
    if (code->tracker != NULL) {
        LLVMConsumeError(LLVMOrcResourceTrackerRemove(code->tracker));
        LLVMOrcReleaseResourceTracker(code->tracker);
    }
    mf_code_release(code->called);
    *code = (struct engine_code){0};
}
