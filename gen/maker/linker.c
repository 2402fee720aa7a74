#include "maker/linker.h"

#include <memfold/embed.h>

#include <llvm-c/Error.h>
#include <llvm-c/LLJIT.h>

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct linker {
    LLVMOrcLLJITRef lljit;
    char reported[256];       /* what the session reports of the work in hand, empty for nothing */
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

/* The session would print it. The first report is the cause of the others. */
static void keep_report(void *into, LLVMErrorRef error) {
    linker *l = into;
    char *message = LLVMGetErrorMessage(error);
    if (l->reported[0] == '\0')
        snprintf(l->reported, sizeof l->reported, "%s", message);
    LLVMDisposeErrorMessage(message);
}

static bool is_report_of(const linker *l, int error) {
    char storage[128];
    return strstr(l->reported, strerror_r(error, storage, sizeof storage)) != NULL;
}

/* Why an object could not be linked: the report if there is one, otherwise `error`. */
static mf_status diag_take_link_error(mf_diag *diag, const linker *l, LLVMErrorRef error) {
    if (error == NULL || l->reported[0] == '\0')
        return diag_take_error(diag, error);
    LLVMConsumeError(error);
    if (is_report_of(l, ENOMEM))
        return mf_diag_set(diag, MF_OUT_OF_MEMORY, 0, "the host gives no memory for code: %s", l->reported);
    if (is_report_of(l, EACCES) || is_report_of(l, EPERM))
        return mf_diag_set(diag, MF_LLVM, 0, "the host refuses to make memory executable: %s", l->reported);
    return mf_diag_set(diag, MF_LLVM, 0, "LLVM: %s", l->reported);
}

/* ---- Life ---- */

/* The addresses are those in this process: generated code calls the runtime that this library is linked with.
 */
static LLVMErrorRef define_runtime_symbols(LLVMOrcLLJITRef lljit, LLVMOrcJITDylibRef dylib) {
    LLVMOrcCSymbolMapPair pairs[MF_RT_ENTRY_COUNT];
    size_t count;
    const mf_runtime_symbol *symbols = mf_runtime_symbols(&count);
    assert(count == MF_RT_ENTRY_COUNT);
    for (size_t i = 0; i < MF_RT_ENTRY_COUNT; i++) {
        LLVMJITSymbolFlags flags = {LLVMJITSymbolGenericFlagsExported | LLVMJITSymbolGenericFlagsCallable, 0};
        pairs[i].Name = LLVMOrcLLJITMangleAndIntern(lljit, symbols[i].name);
        pairs[i].Sym = (LLVMJITEvaluatedSymbol){(uintptr_t)symbols[i].address, flags};
    }
    LLVMOrcMaterializationUnitRef unit = LLVMOrcAbsoluteSymbols(pairs, MF_RT_ENTRY_COUNT);
    LLVMErrorRef error = LLVMOrcJITDylibDefine(dylib, unit);
    if (error != NULL)
        LLVMOrcDisposeMaterializationUnit(unit);
    return error;
}

static mf_status linker_start(linker *l, mf_diag *diag) {
    mf_status status = diag_take_error(diag, LLVMOrcCreateLLJIT(&l->lljit, NULL));
    if (status != MF_OK)
        return status;
    LLVMOrcExecutionSessionSetErrorReporter(LLVMOrcLLJITGetExecutionSession(l->lljit), keep_report, l);
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
    l->reported[0] = '\0';
    mf_status status = diag_take_link_error(diag, l, LLVMOrcLLJITLookup(l->lljit, &address, symbol));
    if (status == MF_OK)
        *host = (uintptr_t)address;
    return status;
}
