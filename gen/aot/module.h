/*
 * What an emitted module holds beside the accessors: the reference to the ABI version, the note with the
 * options, and the registration of its exception table.
 */
#ifndef MEMFOLD_GEN_AOT_MODULE_H
#define MEMFOLD_GEN_AOT_MODULE_H

#include "emit/set.h"

#include <memfold/aot.h>
#include <memfold/object.h>

#include <llvm-c/Core.h>

/*
 * Fills an empty module for the target machine: the accessors and all of the above, as output of `kind` has
 * it, verified. MF_OUT_OF_MEMORY, MF_LLVM, or a status of emit_set; then the module is to be thrown away.
 */
mf_status aot_module_fill(LLVMModuleRef module, LLVMBuilderRef builder, const emit_input *input,
                          const mf_object_note *facts, mf_emit_kind kind, mf_diag *diag);

#endif
