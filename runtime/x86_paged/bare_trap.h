/* The part of the fault path that the entry stub of bare_trap.S calls, and where its code begins. */
#ifndef MEMFOLD_RUNTIME_X86_PAGED_BARE_TRAP_H
#define MEMFOLD_RUNTIME_X86_PAGED_BARE_TRAP_H

#include <memfold/bare.h>

/* From the stub: DF and AC are clear, interrupts off. `registers` are restored when this returns. */
void mf_bare_page_fault(mf_bare_registers *registers, uint64_t address);

#endif
