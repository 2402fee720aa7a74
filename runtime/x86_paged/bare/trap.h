/* The part of the fault path that the entry of trap.S calls. */
#ifndef MEMFOLD_RUNTIME_X86_PAGED_BARE_TRAP_H
#define MEMFOLD_RUNTIME_X86_PAGED_BARE_TRAP_H

#include <memfold/bare.h>

/* From the entry: DF and AC are clear, interrupts off. `registers` are restored when this returns. */
void bare_page_fault(mf_bare_registers *registers, uint64_t address);

#endif
