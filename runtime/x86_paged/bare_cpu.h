/* The instructions that C has no words for. */
#ifndef MEMFOLD_RUNTIME_X86_PAGED_BARE_CPU_H
#define MEMFOLD_RUNTIME_X86_PAGED_BARE_CPU_H

#include <stdbool.h>
#include <stdint.h>

/*
 * This CPU forgets what it has cached of the translation of the page at `address`, and of the tables on all
 * ways (Intel SDM volume 3A, 4.10.4.1).
 */
void mf_cpu_forget_page(uint64_t address);

/* The physical address of the level-4 table in use (4.5, table 4-12). */
uint64_t mf_cpu_root(void);

uint16_t mf_cpu_code_selector(void);
uint16_t mf_cpu_stack_selector(void);

/* What the tables rely on: CR0.WP, EFER.NXE and four levels (2.5, 2.2.1, 4.1). */
bool mf_cpu_protects_writes(void);
bool mf_cpu_knows_no_execute(void);
bool mf_cpu_has_four_levels(void);

/* CR4.SMAP: ring 0 may touch pages of ring 3 only while RFLAGS.AC is set (4.6.1). */
bool mf_cpu_forbids_user_data(void);

void mf_cpu_pause(void);

#endif
