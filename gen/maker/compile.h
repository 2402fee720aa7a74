/* From plans to an object file in memory, for the processor this runs on. */
#ifndef MEMFOLD_GEN_MAKER_COMPILE_H
#define MEMFOLD_GEN_MAKER_COMPILE_H

#include "emit/set.h"

#include <memfold/status.h>

#include <llvm-c/TargetMachine.h>

/*
 * Builds the module of an accessor set and writes its object, which the caller disposes of. One thread at a
 * time for one machine. MF_OUT_OF_MEMORY, MF_LLVM; MF_INVALID_ARGUMENT if the processor is not the backend's.
 */
mf_status compile_set(LLVMTargetMachineRef machine, const emit_input *input, LLVMMemoryBufferRef *object,
                      mf_diag *diag);

#endif
