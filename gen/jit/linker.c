#include "jit/linker.h"

#include "emit/emit.h"
#include "ir/target.h"
#include "jit/perf.h"

#include <llvm-c/Analysis.h>
#include <llvm-c/Error.h>
#include <llvm-c/LLJIT.h>
#include <llvm-c/LLJITUtils.h>

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
    const struct {
        const char *symbol;
        uintptr_t host;
    } ENTRIES[] = {
        {MF_RT_FAULT_SYMBOL, (uintptr_t)&mf_rt_fault_v1},
        {MF_RT_TRAP_SYMBOL, (uintptr_t)&mf_rt_trap_v1},
        {MF_RT_STALE_SYMBOL, (uintptr_t)&mf_rt_stale_v1},
    };
    enum { COUNT = sizeof ENTRIES / sizeof ENTRIES[0] };
    LLVMOrcCSymbolMapPair pairs[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        LLVMJITSymbolFlags flags = {LLVMJITSymbolGenericFlagsExported | LLVMJITSymbolGenericFlagsCallable, 0};
        pairs[i].Name = LLVMOrcLLJITMangleAndIntern(lljit, ENTRIES[i].symbol);
        pairs[i].Sym = (LLVMJITEvaluatedSymbol){ENTRIES[i].host, flags};
    }
    return LLVMOrcJITDylibDefine(dylib, LLVMOrcAbsoluteSymbols(pairs, COUNT));
}

static mf_status linker_start(linker *l, mf_diag *diag) {
    mf_status status = target_create_host(&l->machine, diag);
    if (status != MF_OK)
        return status;
    status = diag_take_error(diag, LLVMOrcCreateLLJIT(&l->lljit, NULL));
    if (status != MF_OK)
        return status;
    l->dylib = LLVMOrcLLJITGetMainJITDylib(l->lljit);
    status = diag_take_error(diag, LLVMOrcLLJITEnableDebugSupport(l->lljit));
    if (status != MF_OK)
        return status;
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

static mf_status fill_module(LLVMModuleRef module, LLVMBuilderRef builder, const mf_layout *layout,
                             const mf_accessor_options *options, const char *prefix, mf_diag *diag) {
    ir ir;
    mf_status status = ir_init(&ir, module, builder, diag);
    if (status == MF_OK)
        status = emit_set(&ir, layout, options, prefix, diag);
    assert(status != MF_OK || !LLVMVerifyModule(module, LLVMAbortProcessAction, NULL));
    return status;
}

static mf_status compile(linker *l, const mf_layout *layout, const mf_accessor_options *options,
                         const char *prefix, LLVMMemoryBufferRef *object, mf_diag *diag) {
    mf_diag error;
    LLVMContextRef context = target_context_create(&error);
    LLVMModuleRef module = target_module_create(l->machine, context, prefix);
    LLVMBuilderRef builder = LLVMCreateBuilderInContext(context);
    mf_status status = fill_module(module, builder, layout, options, prefix, diag);
    if (status == MF_OK)
        status = target_compile(l->machine, module, LLVMObjectFile, object, diag);
    LLVMDisposeBuilder(builder);
    LLVMDisposeModule(module);
    LLVMContextDispose(context);
    return status;
}

/* ---- Link ---- */

static mf_status lookup_table(linker *l, const char *prefix, const mf_accessors **accessors, mf_diag *diag) {
    char symbol[256];
    snprintf(symbol, sizeof symbol, "%s_accessors", prefix);
    LLVMOrcExecutorAddress address;
    mf_status status = diag_take_error(diag, LLVMOrcLLJITLookup(l->lljit, &address, symbol));
    if (status == MF_OK)
        *accessors = (const mf_accessors *)(uintptr_t)address;
    return status;
}

/* Takes `object`. */
static mf_status load(linker *l, LLVMMemoryBufferRef object, const char *prefix, linked_set *set,
                      mf_diag *diag) {
    set->tracker = LLVMOrcJITDylibCreateResourceTracker(l->dylib);
    mf_status status = diag_take_error(diag, LLVMOrcLLJITAddObjectFileWithRT(l->lljit, set->tracker, object));
    if (status == MF_OK)
        status = lookup_table(l, prefix, &set->accessors, diag);
    if (status != MF_OK)
        linker_unlink(l, set);
    return status;
}

mf_status linker_link(linker *l, const mf_layout *layout, const mf_accessor_options *options,
                      const char *prefix, FILE *perf_map, linked_set *set, mf_diag *diag) {
    LLVMMemoryBufferRef object;
    uint64_t sizes_bytes[MF_ACCESSOR_COUNT];
    linked_set made = {0};
    mf_status status = compile(l, layout, options, prefix, &object, diag);
    if (status != MF_OK)
        return status;
    if (perf_map != NULL)
        perf_function_sizes(object, prefix, sizes_bytes);
    status = load(l, object, prefix, &made, diag);
    if (status != MF_OK)
        return status;
    if (perf_map != NULL)
        perf_map_append(perf_map, prefix, made.accessors, sizes_bytes);
    *set = made;
    return MF_OK;
}

void linker_unlink(linker *l, linked_set *set) {
    LLVMConsumeError(LLVMOrcResourceTrackerRemove(set->tracker));
    LLVMOrcReleaseResourceTracker(set->tracker);
    LLVMOrcExecutionSessionRef session = LLVMOrcLLJITGetExecutionSession(l->lljit);
    LLVMOrcSymbolStringPoolClearDeadEntries(LLVMOrcExecutionSessionGetSymbolStringPool(session));
    *set = (linked_set){0};
}
