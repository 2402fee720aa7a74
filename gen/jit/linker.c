#include "jit/linker.h"

#include "emit/set.h"
#include "ir/target.h"
#include "jit/perf.h"

#include <memfold/embed.h>

#include <llvm-c/Analysis.h>
#include <llvm-c/Error.h>
#include <llvm-c/LLJIT.h>

#include <assert.h>
#include <stdlib.h>

struct linker {
    LLVMTargetMachineRef machine;
    LLVMOrcLLJITRef lljit;
    LLVMOrcJITDylibRef dylib; /* the main one: every set has symbols of its own and a tracker of its own */
};

static mf_status diag_take_error(mf_diag *diag, LLVMErrorRef error) {
    if (error == NULL)
        return MF_OK;
    char *message = LLVMGetErrorMessage(error);
    mf_status status = mf_diag_set(diag, MF_LLVM, 0, "LLVM: %s", message);
    LLVMDisposeErrorMessage(message);
    return status;
}

/* ---- Life ---- */

/* The runtime's entry points under their linker names, wherever this library has been loaded. */
static LLVMErrorRef define_runtime_symbols(LLVMOrcLLJITRef lljit, LLVMOrcJITDylibRef dylib) {
    enum { MOST = 16 };
    LLVMOrcCSymbolMapPair pairs[MOST];
    size_t count;
    const mf_runtime_symbol *symbols = mf_runtime_symbols(&count);
    assert(count <= MOST);
    for (size_t i = 0; i < count; i++) {
        LLVMJITSymbolFlags flags = {LLVMJITSymbolGenericFlagsExported | LLVMJITSymbolGenericFlagsCallable, 0};
        pairs[i].Name = LLVMOrcLLJITMangleAndIntern(lljit, symbols[i].name);
        pairs[i].Sym = (LLVMJITEvaluatedSymbol){(uintptr_t)symbols[i].address, flags};
    }
    return LLVMOrcJITDylibDefine(dylib, LLVMOrcAbsoluteSymbols(pairs, count));
}

static mf_status linker_start(linker *l, mf_diag *diag) {
    mf_status status = target_create_host(&l->machine, diag);
    if (status != MF_OK)
        return status;
    status = diag_take_error(diag, LLVMOrcCreateLLJIT(&l->lljit, NULL));
    if (status != MF_OK)
        return status;
    l->dylib = LLVMOrcLLJITGetMainJITDylib(l->lljit);
    return diag_take_error(diag, define_runtime_symbols(l->lljit, l->dylib));
}

mf_status linker_create(linker **made, mf_diag *diag) {
    linker *l = calloc(1, sizeof *l);
    if (l == NULL)
        return mf_diag_set(diag, MF_OUT_OF_MEMORY, sizeof *l, "no memory for a linker");
    mf_status status = linker_start(l, diag);
    if (status != MF_OK) {
        linker_destroy(l);
        return status;
    }
    *made = l;
    return MF_OK;
}

void linker_destroy(linker *l) {
    if (l == NULL)
        return;
    if (l->lljit != NULL)
        LLVMConsumeError(LLVMOrcDisposeLLJIT(l->lljit));
    if (l->machine != NULL)
        LLVMDisposeTargetMachine(l->machine);
    free(l);
}

/* ---- Compile ---- */

static mf_status fill_module(LLVMModuleRef module, LLVMBuilderRef builder, const emit_input *input,
                             mf_diag *diag) {
    ir ir;
    mf_status status = ir_init(&ir, module, builder, diag);
    if (status == MF_OK)
        status = emit_set(&ir, input, diag);
    assert(status != MF_OK || !LLVMVerifyModule(module, LLVMAbortProcessAction, NULL));
    return status;
}

static mf_status compile(linker *l, const emit_input *input, LLVMMemoryBufferRef *object, mf_diag *diag) {
    mf_diag error;
    LLVMContextRef context = target_context_create(&error);
    LLVMModuleRef module = target_module_create(l->machine, context, input->prefix);
    LLVMBuilderRef builder = LLVMCreateBuilderInContext(context);
    mf_status status = fill_module(module, builder, input, diag);
    if (status == MF_OK)
        status = target_compile(l->machine, module, LLVMObjectFile, object, diag);
    LLVMDisposeBuilder(builder);
    LLVMDisposeModule(module);
    LLVMContextDispose(context);
    return status;
}

/* ---- Link ---- */

static mf_status lookup(linker *l, const char *prefix, const char *name, uintptr_t *host, mf_diag *diag) {
    char symbol[256];
    LLVMOrcExecutorAddress address;
    snprintf(symbol, sizeof symbol, "%s_%s", prefix, name);
    mf_status status = diag_take_error(diag, LLVMOrcLLJITLookup(l->lljit, &address, symbol));
    if (status == MF_OK)
        *host = (uintptr_t)address;
    return status;
}

static mf_status register_entries(linker *l, const char *prefix, size_t entry_count, linked_set *set,
                                  mf_diag *diag) {
    uintptr_t host;
    mf_status status = lookup(l, prefix, "extable", &host, diag);
    if (status != MF_OK)
        return status;
    status = mf_exception_table_register((const mf_exception_entry *)host, entry_count, diag);
    if (status == MF_OK)
        set->entries = (const mf_exception_entry *)host;
    return status;
}

/* Takes `object`. */
static mf_status load(linker *l, LLVMMemoryBufferRef object, const emit_input *input, linked_set *set,
                      mf_diag *diag) {
    uintptr_t host = 0;
    size_t entry_count = emit_entry_count(input);
    set->tracker = LLVMOrcJITDylibCreateResourceTracker(l->dylib);
    mf_status status = diag_take_error(diag, LLVMOrcLLJITAddObjectFileWithRT(l->lljit, set->tracker, object));
    if (status == MF_OK)
        status = lookup(l, input->prefix, "accessors", &host, diag);
    if (status == MF_OK && entry_count > 0)
        status = register_entries(l, input->prefix, entry_count, set, diag);
    set->accessors = (const mf_accessors *)host;
    if (status != MF_OK)
        linker_unlink(l, set);
    return status;
}

mf_status linker_link(linker *l, const emit_input *input, FILE *perf_map, linked_set *set, mf_diag *diag) {
    LLVMMemoryBufferRef object;
    uint64_t sizes_bytes[MF_ACCESSOR_COUNT];
    linked_set made = {0};
    mf_status status = compile(l, input, &object, diag);
    if (status != MF_OK)
        return status;
    made.gdb = gdb_entry_create(object);
    if (perf_map != NULL)
        perf_function_sizes(object, input->prefix, sizes_bytes);
    status = load(l, object, input, &made, diag);
    if (status != MF_OK)
        return status;
    gdb_entry_register(made.gdb, input->prefix, made.accessors);
    if (perf_map != NULL)
        perf_map_append(perf_map, input->prefix, made.accessors, sizes_bytes);
    *set = made;
    return MF_OK;
}

void linker_unlink(linker *l, linked_set *set) {
    if (set->entries != NULL)
        mf_exception_table_unregister(set->entries);
    gdb_entry_destroy(set->gdb);
    LLVMConsumeError(LLVMOrcResourceTrackerRemove(set->tracker));
    LLVMOrcReleaseResourceTracker(set->tracker);
    LLVMOrcExecutionSessionRef session = LLVMOrcLLJITGetExecutionSession(l->lljit);
    LLVMOrcSymbolStringPoolClearDeadEntries(LLVMOrcExecutionSessionGetSymbolStringPool(session));
    *set = (linked_set){0};
}
