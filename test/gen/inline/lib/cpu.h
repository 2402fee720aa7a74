/*
 * Runs bytes with all registers given, and says what each holds afterwards. The bytes end in one of three
 * jumps, to the addresses below.
 */
#ifndef MEMFOLD_TEST_CPU_H
#define MEMFOLD_TEST_CPU_H

#include <stdint.h>

/* By their numbers in instructions; rsp (4) is not the caller's to choose, and only read. */
typedef struct cpu_state {
    uint64_t registers[16];
    uint64_t flags; /* of them the arithmetic ones count */
} cpu_state;

#define CPU_RSP 4
#define CPU_FLAGS UINT64_C(0x8d5) /* carry, parity, auxiliary, zero, sign, overflow */

typedef enum cpu_exit { CPU_DONE = 0, CPU_FAULT = 1, CPU_STALE = 2 } cpu_exit;

/* Where the bytes jump to. */
uintptr_t cpu_exit_address(cpu_exit exit);

/* Which of them they jumped to. */
cpu_exit cpu_run(const void *code, const cpu_state *before, cpu_state *after);

#endif
