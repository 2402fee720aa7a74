/* From an object file in memory to functions that can be called, in this process. */
#ifndef MEMFOLD_GEN_MAKER_LINKER_H
#define MEMFOLD_GEN_MAKER_LINKER_H

#include <memfold/status.h>

#include <llvm-c/Orc.h>
#include <llvm-c/Types.h>

#include <stdint.h>

/* One thread at a time, because LLVM's state behind it is shared. */
typedef struct linker linker;

/* Writes a linker; the caller destroys it after everything is unlinked. MF_LLVM, MF_OUT_OF_MEMORY. */
mf_status linker_create(linker **made, mf_diag *diag);
void linker_destroy(linker *linker);

/*
 * Takes `object`, whose symbols no other linked object defines. Its code stays until linker_unlink is given
 * what is written to `tracker`. MF_LLVM.
 */
mf_status linker_link(linker *linker, LLVMMemoryBufferRef object, LLVMOrcResourceTrackerRef *tracker,
                      mf_diag *diag);

/* Takes `tracker`. */
void linker_unlink(linker *linker, LLVMOrcResourceTrackerRef tracker);

/* Writes the host address of a linked symbol. MF_LLVM. */
mf_status linker_lookup(linker *linker, const char *symbol, uintptr_t *host, mf_diag *diag);

#endif
