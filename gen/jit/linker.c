#include "jit/linker.h"

#include <memfold/embed.h>

#include <llvm-c/Error.h>
#include <llvm-c/LLJIT.h>

#include <assert.h>
#include <stdlib.h>

struct linker {
    LLVMOrcLLJITRef lljit;
    LLVMOrcJITDylibRef dylib; /* the main one: every object has symbols of its own and a tracker of its own */
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

/* The addresses are those in this process: generated code calls the runtime that this library is linked with.
 */
static LLVMErrorRef define_runtime_symbols(LLVMOrcLLJITRef lljit, LLVMOrcJITDylibRef dylib) {
    LLVMOrcCSymbolMapPair pairs[MF_RT_ENTRY_COUNT];
    size_t count;
    const mf_runtime_symbol *symbols = mf_runtime_symbols(&count);
    assert(count == MF_RT_ENTRY_COUNT);
    for (size_t i = 0; i < count; i++) {
        LLVMJITSymbolFlags flags = {LLVMJITSymbolGenericFlagsExported | LLVMJITSymbolGenericFlagsCallable, 0};
        pairs[i].Name = LLVMOrcLLJITMangleAndIntern(lljit, symbols[i].name);
        pairs[i].Sym = (LLVMJITEvaluatedSymbol){(uintptr_t)symbols[i].address, flags};
    }
    LLVMOrcMaterializationUnitRef unit = LLVMOrcAbsoluteSymbols(pairs, count);
    LLVMErrorRef error = LLVMOrcJITDylibDefine(dylib, unit);
    if (error != NULL)
        LLVMOrcDisposeMaterializationUnit(unit);
    return error;
}

static mf_status linker_start(linker *l, mf_diag *diag) {
    mf_status status = diag_take_error(diag, LLVMOrcCreateLLJIT(&l->lljit, NULL));
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
    free(l);
}

/* ---- Link ---- */

mf_status linker_link(linker *l, LLVMMemoryBufferRef object, LLVMOrcResourceTrackerRef *tracker,
                      mf_diag *diag) {
    LLVMOrcResourceTrackerRef made = LLVMOrcJITDylibCreateResourceTracker(l->dylib);
    mf_status status = diag_take_error(diag, LLVMOrcLLJITAddObjectFileWithRT(l->lljit, made, object));
    if (status == MF_OK)
        *tracker = made;
    else
        linker_unlink(l, made);
    return status;
}

/* Interned names of the object's symbols would otherwise stay as long as the linker. */
void linker_unlink(linker *l, LLVMOrcResourceTrackerRef tracker) {
    LLVMConsumeError(LLVMOrcResourceTrackerRemove(tracker));
    LLVMOrcReleaseResourceTracker(tracker);
    LLVMOrcExecutionSessionRef session = LLVMOrcLLJITGetExecutionSession(l->lljit);
    LLVMOrcSymbolStringPoolClearDeadEntries(LLVMOrcExecutionSessionGetSymbolStringPool(session));
}

mf_status linker_lookup(linker *l, const char *symbol, uintptr_t *host, mf_diag *diag) {
    LLVMOrcExecutorAddress address;
    mf_status status = diag_take_error(diag, LLVMOrcLLJITLookup(l->lljit, &address, symbol));
    if (status == MF_OK)
        *host = (uintptr_t)address;
    return status;
}
