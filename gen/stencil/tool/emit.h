/* The stencils of a list as functions of one object, their numbers as holes. */
#ifndef MEMFOLD_GEN_STENCIL_TOOL_EMIT_H
#define MEMFOLD_GEN_STENCIL_TOOL_EMIT_H

#include "stencil/tool/list.h"

#include <llvm-c/Core.h>

/* The functions are called so, followed by the entry's place in the list. */
#define EMITTED_PREFIX "stencil_"

/* Writes the object, which the caller disposes of. MF_LLVM, MF_OUT_OF_MEMORY. */
mf_status stencils_emit(const list *l, LLVMMemoryBufferRef *object, mf_diag *diag);

#endif
