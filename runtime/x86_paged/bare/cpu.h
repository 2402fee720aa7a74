/* The instructions that C has no words for. */
#ifndef MEMFOLD_RUNTIME_X86_PAGED_BARE_CPU_H
#define MEMFOLD_RUNTIME_X86_PAGED_BARE_CPU_H

#include <stdbool.h>
#include <stdint.h>

/*
 * INVLPG: this CPU's TLB has no translation of the page at `address` any more, and its paging-structure caches no
 * entry of any address (Intel SDM volume 3A, 4.10.4.1). Only of the PCID in use.
 */
void cpu_invlpg(uint64_t address);

/* CR3 without its flags: the physical address of the level-4 table in use (4.5, table 4-12). */
uint64_t cpu_cr3(void);

uint16_t cpu_code_selector(void);
uint16_t cpu_stack_selector(void);

/* What the page tables rely on: CR0.WP, EFER.NXE, and CR4.LA57 clear (2.5, 2.2.1, 4.1). */
bool cpu_has_wp(void);
bool cpu_has_nxe(void);
bool cpu_has_la57(void);

/* CR4.SMAP: ring 0 may touch pages of ring 3 only while RFLAGS.AC is set (4.6.1). */
bool cpu_has_smap(void);

void cpu_pause(void);

#endif
