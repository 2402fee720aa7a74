/* What the entry in trap.S calls. */
#ifndef MEMFOLD_RUNTIME_X86_PAGED_BARE_FAULT_H
#define MEMFOLD_RUNTIME_X86_PAGED_BARE_FAULT_H

#include <memfold/bare.h>

/* A page fault: DF and AC are clear, interrupts off. `registers` are restored when this returns. */
void bare_page_fault(mf_bare_registers *registers, uint64_t address);

#endif
