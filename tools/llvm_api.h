/*
 * What differs between the C APIs of LLVM 19 to 22, for programs with an LLJIT of their own. The libraries
 * call only what all of them have.
 */
#ifndef TOOLS_LLVM_API_H
#define TOOLS_LLVM_API_H

#include <llvm-c/Core.h>
#include <llvm-c/Orc.h>
#include <llvm/Config/llvm-config.h>

/*
 * A context for modules of an LLJIT; disposed of with LLVMOrcDisposeThreadSafeContext. Its LLVMContext is
 * written to `context`: up to LLVM 20 it can be asked for, and later it is made first and taken over.
 */
static inline LLVMOrcThreadSafeContextRef llvm_api_create_context(LLVMContextRef *context) {
#if LLVM_VERSION_MAJOR < 21
    LLVMOrcThreadSafeContextRef owner = LLVMOrcCreateNewThreadSafeContext();
    *context = LLVMOrcThreadSafeContextGetContext(owner);
    return owner;
#else
    *context = LLVMContextCreate();
    return LLVMOrcCreateNewThreadSafeContextFromLLVMContext(*context);
#endif
}

#endif
