/*
 * Around what memfold does in LLVM: a fork waits until no thread is in there, so that the child finds
 * everything whole; so does the end of the process, which destroys what LLVM works with; and host memory is
 * asked for before, because LLVM ends the process where there is none.
 */
#ifndef MEMFOLD_GEN_IR_ENTRY_H
#define MEMFOLD_GEN_IR_ENTRY_H

#include <memfold/status.h>

/* A pair around each public function that enters LLVM. They do not nest. Not in a signal handler. */
void entry_begin(void);
void entry_end(void);

/*
 * The same inside the jit's gate (jit/maker.h), where a fork waits for the caller already: the caller would
 * wait in vain for a fork that has begun.
 */
void entry_begin_in_jit(void);
void entry_end_in_jit(void);

/*
 * Inside, before LLVM makes anything: MF_LLVM if the process has begun to end; MF_OUT_OF_MEMORY if the host
 * would not give what LLVM takes for one accessor set, with a wide margin.
 */
mf_status entry_foresee(mf_diag *diag);

#endif
