#include "jit.h"

#include "llvm_api.h"

#include <memfold/exception_table.h>

#include <llvm-c/Error.h>
#include <llvm-c/LLJIT.h>
#include <llvm-c/Orc.h>
#include <llvm-c/Target.h>
#include <llvm-c/TargetMachine.h>
#include <llvm-c/Transforms/PassBuilder.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define PAGE_INSTRUCTIONS (MF_PAGE_SIZE / INSTRUCTION_BYTES)

/* A registered exception table, to be unregistered before its code is freed. */
typedef struct table {
    const mf_exception_entry *entries;
    struct table *next;
} table;

struct jit {
    const guest *guest;
    mf_accessor_options options;
    LLVMOrcLLJITRef lljit;
    LLVMTargetMachineRef machine;
    guest_code **pages[MF_SPACE_PAGES]; /* for each page with code: the code for each of its instructions */
    table *tables;
    jit_figures figures;
};

/* ---- Errors: LLVM's end the program, because there is nothing else to run the guest ---- */

static void must(LLVMErrorRef error) {
    if (error == NULL)
        return;
    fprintf(stderr, "%s\n", LLVMGetErrorMessage(error));
    exit(1);
}

static void must_status(mf_status status, const mf_diag *diag) {
    if (status == MF_OK)
        return;
    fprintf(stderr, "%s\n", diag->message);
    exit(1);
}

double jit_clock_seconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* ---- The JIT ---- */

/* What memfold's code calls is in this process; the JIT is told under which names. */
static void define_runtime(jit *j) {
    enum { MOST = 16 };
    LLVMOrcCSymbolMapPair pairs[MOST];
    size_t count;
    const mf_runtime_symbol *symbols = mf_runtime_symbols(&count);
    for (size_t i = 0; i < count && i < MOST; i++) {
        LLVMJITSymbolFlags flags = {LLVMJITSymbolGenericFlagsExported | LLVMJITSymbolGenericFlagsCallable, 0};
        pairs[i].Name = LLVMOrcLLJITMangleAndIntern(j->lljit, symbols[i].name);
        pairs[i].Sym = (LLVMJITEvaluatedSymbol){(uintptr_t)symbols[i].address, flags};
    }
    must(LLVMOrcJITDylibDefine(LLVMOrcLLJITGetMainJITDylib(j->lljit), LLVMOrcAbsoluteSymbols(pairs, count)));
}

/* The passes want to know the processor that the code is for. */
static bool create_machine(jit *j) {
    const char *triple = LLVMOrcLLJITGetTripleString(j->lljit);
    LLVMTargetRef target;
    char *message;
    if (LLVMGetTargetFromTriple(triple, &target, &message)) {
        fprintf(stderr, "%s\n", message);
        LLVMDisposeMessage(message);
        return false;
    }
    char *processor = LLVMGetHostCPUName();
    char *features = LLVMGetHostCPUFeatures();
    j->machine = LLVMCreateTargetMachine(target, triple, processor, features, LLVMCodeGenLevelDefault,
                                         LLVMRelocPIC, LLVMCodeModelJITDefault);
    LLVMDisposeMessage(features);
    LLVMDisposeMessage(processor);
    return true;
}

jit *jit_create(const guest *g, const mf_accessor_options *options) {
    LLVMInitializeNativeTarget();
    LLVMInitializeNativeAsmPrinter();
    LLVMInitializeNativeAsmParser();
    jit *j = calloc(1, sizeof *j);
    if (j == NULL)
        return NULL;
    j->guest = g;
    j->options = *options;
    must(LLVMOrcCreateLLJIT(&j->lljit, NULL));
    if (!create_machine(j)) {
        jit_destroy(j);
        return NULL;
    }
    define_runtime(j);
    return j;
}

void jit_destroy(jit *j) {
    if (j == NULL)
        return;
    while (j->tables != NULL) {
        table *first = j->tables;
        j->tables = first->next;
        mf_exception_table_unregister(first->entries);
        free(first);
    }
    must(LLVMOrcDisposeLLJIT(j->lljit));
    LLVMDisposeTargetMachine(j->machine);
    for (size_t i = 0; i < MF_SPACE_PAGES; i++)
        free(j->pages[i]);
    free(j);
}

/* ---- From a region to code ---- */

static bool has_table(const jit *j) {
    return j->options.backend == MF_BACKEND_X86_PAGED;
}

static void make_module(jit *j, LLVMModuleRef module, const region *r, const char *name,
                        const char *entries) {
    mf_diag diag;
    LLVMSetDataLayout(module, LLVMOrcLLJITGetDataLayoutStr(j->lljit));
    LLVMSetTarget(module, LLVMOrcLLJITGetTripleString(j->lljit));
    must_status(translate(module, name, j->guest, r, &j->options, &diag), &diag);
    if (has_table(j))
        must_status(mf_embed_define_exception_table(module, entries, &diag), &diag);
}

static void optimise(const jit *j, LLVMModuleRef module) {
    LLVMPassBuilderOptionsRef options = LLVMCreatePassBuilderOptions();
    must(LLVMRunPasses(module, "default<O2>", j->machine, options));
    LLVMDisposePassBuilderOptions(options);
}

static uintptr_t find_symbol(const jit *j, const char *name) {
    LLVMOrcExecutorAddress address;
    must(LLVMOrcLLJITLookup(j->lljit, &address, name));
    return (uintptr_t)address;
}

/* On paged a guest's fault is an instruction that faults: the table says where the code goes on then. */
static void register_table(jit *j, const char *name) {
    const mf_embed_exception_table *found = (const mf_embed_exception_table *)find_symbol(j, name);
    mf_diag diag;
    table *added = malloc(sizeof *added);
    if (added == NULL)
        exit(1);
    must_status(mf_exception_table_register(found->begin, (size_t)(found->end - found->begin), &diag), &diag);
    *added = (table){found->begin, j->tables};
    j->tables = added;
}

static guest_code *compile(jit *j, const region *r) {
    char name[32];
    char entries[40];
    snprintf(name, sizeof name, "guest_%08x", r->blocks[0].pc);
    snprintf(entries, sizeof entries, "%s_entries", name);
    LLVMContextRef context;
    LLVMOrcThreadSafeContextRef owner = llvm_api_create_context(&context);
    LLVMModuleRef module = LLVMModuleCreateWithNameInContext(name, context);
    double start = jit_clock_seconds();
    make_module(j, module, r, name, entries);
    double translated = jit_clock_seconds();
    optimise(j, module);
    LLVMOrcThreadSafeModuleRef taken = LLVMOrcCreateNewThreadSafeModule(module, owner);
    LLVMOrcDisposeThreadSafeContext(owner);
    must(LLVMOrcLLJITAddLLVMIRModule(j->lljit, LLVMOrcLLJITGetMainJITDylib(j->lljit), taken));
    guest_code *code = (guest_code *)find_symbol(j, name);
    if (has_table(j))
        register_table(j, entries);
    j->figures.regions++;
    j->figures.translate_seconds += translated - start;
    j->figures.compile_seconds += jit_clock_seconds() - translated;
    return code;
}

/* ---- Code by guest address ---- */

static guest_code **place_of(jit *j, uint32_t pc) {
    guest_code ***page = &j->pages[pc / MF_PAGE_SIZE];
    if (*page == NULL)
        *page = calloc(PAGE_INSTRUCTIONS, sizeof **page);
    return *page == NULL ? NULL : &(*page)[pc % MF_PAGE_SIZE / INSTRUCTION_BYTES];
}

/* The code serves every entry of its region that has none yet. */
static void publish(jit *j, const region *r, guest_code *code) {
    for (size_t i = 0; i < r->block_count; i++) {
        guest_code **place = r->blocks[i].is_entry ? place_of(j, r->blocks[i].pc) : NULL;
        if (place != NULL && *place == NULL)
            *place = code;
    }
}

static guest_code *make_code(jit *j, uint32_t pc) {
    uint32_t word;
    region r;
    if (!guest_fetch(j->guest, pc, &word) || !region_explore(&r, j->guest, pc))
        return NULL;
    guest_code *code = compile(j, &r);
    publish(j, &r, code);
    region_fini(&r);
    return code;
}

guest_code *jit_lookup(jit *j, uint32_t pc) {
    guest_code **page = j->pages[pc / MF_PAGE_SIZE];
    guest_code *code = page == NULL ? NULL : page[pc % MF_PAGE_SIZE / INSTRUCTION_BYTES];
    return code != NULL && pc % INSTRUCTION_BYTES == 0 ? code : make_code(j, pc);
}

jit_figures jit_get_figures(const jit *j) {
    return j->figures;
}
