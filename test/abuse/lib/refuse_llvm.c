/* What LLVM may answer with an error, refused like calls of the host. Who owns what is as LLVM-C has it on
 * failure. */
#include "refuse_calls.h"

#include <llvm-c/Core.h>
#include <llvm-c/Error.h>
#include <llvm-c/LLJIT.h>
#include <llvm-c/TargetMachine.h>

static LLVMErrorRef refusal(void) {
    return LLVMCreateStringError("refused by the test");
}

LLVMBool __real_LLVMGetTargetFromTriple(const char *triple, LLVMTargetRef *target, char **message);
LLVMBool __wrap_LLVMGetTargetFromTriple(const char *triple, LLVMTargetRef *target, char **message);
LLVMBool __wrap_LLVMGetTargetFromTriple(const char *triple, LLVMTargetRef *target, char **message) {
    if (!calls_is_refused("LLVMGetTargetFromTriple"))
        return __real_LLVMGetTargetFromTriple(triple, target, message);
    *message = LLVMCreateMessage("refused by the test");
    return 1;
}

LLVMBool __real_LLVMTargetMachineEmitToMemoryBuffer(LLVMTargetMachineRef machine, LLVMModuleRef module,
                                                    LLVMCodeGenFileType type, char **message,
                                                    LLVMMemoryBufferRef *object);
LLVMBool __wrap_LLVMTargetMachineEmitToMemoryBuffer(LLVMTargetMachineRef machine, LLVMModuleRef module,
                                                    LLVMCodeGenFileType type, char **message,
                                                    LLVMMemoryBufferRef *object);
LLVMBool __wrap_LLVMTargetMachineEmitToMemoryBuffer(LLVMTargetMachineRef machine, LLVMModuleRef module,
                                                    LLVMCodeGenFileType type, char **message,
                                                    LLVMMemoryBufferRef *object) {
    if (!calls_is_refused("LLVMTargetMachineEmitToMemoryBuffer"))
        return __real_LLVMTargetMachineEmitToMemoryBuffer(machine, module, type, message, object);
    *message = LLVMCreateMessage("refused by the test");
    return 1;
}

LLVMErrorRef __real_LLVMOrcCreateLLJIT(LLVMOrcLLJITRef *lljit, LLVMOrcLLJITBuilderRef builder);
LLVMErrorRef __wrap_LLVMOrcCreateLLJIT(LLVMOrcLLJITRef *lljit, LLVMOrcLLJITBuilderRef builder);
LLVMErrorRef __wrap_LLVMOrcCreateLLJIT(LLVMOrcLLJITRef *lljit, LLVMOrcLLJITBuilderRef builder) {
    if (!calls_is_refused("LLVMOrcCreateLLJIT"))
        return __real_LLVMOrcCreateLLJIT(lljit, builder);
    if (builder != NULL)
        LLVMOrcDisposeLLJITBuilder(builder);
    *lljit = NULL;
    return refusal();
}

/* The symbols stay the caller's. */
LLVMErrorRef __real_LLVMOrcJITDylibDefine(LLVMOrcJITDylibRef dylib, LLVMOrcMaterializationUnitRef symbols);
LLVMErrorRef __wrap_LLVMOrcJITDylibDefine(LLVMOrcJITDylibRef dylib, LLVMOrcMaterializationUnitRef symbols);
LLVMErrorRef __wrap_LLVMOrcJITDylibDefine(LLVMOrcJITDylibRef dylib, LLVMOrcMaterializationUnitRef symbols) {
    return calls_is_refused("LLVMOrcJITDylibDefine") ? refusal()
                                                     : __real_LLVMOrcJITDylibDefine(dylib, symbols);
}

/* The object is consumed. */
LLVMErrorRef __real_LLVMOrcLLJITAddObjectFileWithRT(LLVMOrcLLJITRef lljit, LLVMOrcResourceTrackerRef tracker,
                                                    LLVMMemoryBufferRef object);
LLVMErrorRef __wrap_LLVMOrcLLJITAddObjectFileWithRT(LLVMOrcLLJITRef lljit, LLVMOrcResourceTrackerRef tracker,
                                                    LLVMMemoryBufferRef object);
LLVMErrorRef __wrap_LLVMOrcLLJITAddObjectFileWithRT(LLVMOrcLLJITRef lljit, LLVMOrcResourceTrackerRef tracker,
                                                    LLVMMemoryBufferRef object) {
    if (!calls_is_refused("LLVMOrcLLJITAddObjectFileWithRT"))
        return __real_LLVMOrcLLJITAddObjectFileWithRT(lljit, tracker, object);
    LLVMDisposeMemoryBuffer(object);
    return refusal();
}

LLVMErrorRef __real_LLVMOrcLLJITLookup(LLVMOrcLLJITRef lljit, LLVMOrcExecutorAddress *result,
                                       const char *name);
LLVMErrorRef __wrap_LLVMOrcLLJITLookup(LLVMOrcLLJITRef lljit, LLVMOrcExecutorAddress *result,
                                       const char *name);
LLVMErrorRef __wrap_LLVMOrcLLJITLookup(LLVMOrcLLJITRef lljit, LLVMOrcExecutorAddress *result,
                                       const char *name) {
    return calls_is_refused("LLVMOrcLLJITLookup") ? refusal()
                                                  : __real_LLVMOrcLLJITLookup(lljit, result, name);
}
