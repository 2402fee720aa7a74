/*
 * Around what memfold does in LLVM and under its own locks: a fork waits until no thread is in there, so that
 * the child finds every lock free and everything whole; so does the end of the process, which destroys what
 * LLVM works with; and host memory is asked for before, because LLVM ends the process where there is none.
 */
#ifndef MEMFOLD_GEN_IR_ENTRY_H
#define MEMFOLD_GEN_IR_ENTRY_H

#include <memfold/status.h>

/* A pair around each public function that enters LLVM or takes a lock. They do not nest. Not in a signal
 * handler. */
void entry_begin(void);
void entry_end(void);

/*
 * Inside, before LLVM makes anything: MF_LLVM if the process has begun to end; MF_OUT_OF_MEMORY if the host
 * would not give what LLVM takes for one accessor set, with a wide margin.
 */
mf_status entry_foresee(mf_diag *diag);

#endif
