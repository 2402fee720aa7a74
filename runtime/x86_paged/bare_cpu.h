/* The instructions that C has no words for. */
#ifndef MEMFOLD_RUNTIME_X86_PAGED_BARE_CPU_H
#define MEMFOLD_RUNTIME_X86_PAGED_BARE_CPU_H

#include <stdint.h>

/*
 * This CPU forgets what it has cached of the translation of the page at `address`, and of the tables on all
 * ways (Intel SDM volume 3A, 4.10.4.1).
 */
void mf_cpu_forget_page(uint64_t address);

#endif
