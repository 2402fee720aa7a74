/* Ending the process for a programmer's mistake, through the hook of panic.h. */
#ifndef MEMFOLD_RUNTIME_PANIC_IMPL_H
#define MEMFOLD_RUNTIME_PANIC_IMPL_H

#include <memfold/abi.h>

/* Panics with "<before>0x<a><between>0x<b><after>"; the text is cut at 200 characters. */
MF_NORETURN void panic_values(const char *before, uint64_t a, const char *between, uint64_t b,
                              const char *after);

#endif
