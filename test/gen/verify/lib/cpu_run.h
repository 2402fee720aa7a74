/*
 * One instruction executed by the CPU: registers, flags and memory before and after. Code, state and scratch
 * memory lie below 2 GiB, so that every form of address reaches them.
 */
#ifndef MEMFOLD_TEST_CPU_RUN_H
#define MEMFOLD_TEST_CPU_RUN_H

#include "random.h"

#include <verify/decode.h>

/* Where it went on: behind, where a jump of it leads, or with a signal, as ud2 and int3 do. */
typedef enum cpu_way { CPU_FOLLOWED, CPU_JUMPED, CPU_STOPPED } cpu_way;

typedef struct cpu_state {
    uint64_t registers[16];
    uint64_t vectors[VECTOR_REGISTERS]
                    [VECTOR_BYTES / 8]; /* as many of them and of their words as the CPU has */
    uint32_t flags;                     /* by model_flag: bits for CF, PF, ZF, SF, OF */
    cpu_way way;                        /* after */
} cpu_state;

/* The jump behind the instruction; what jumps leads behind it. */
#define CPU_JUMP_BYTES 5

/* Once, before everything else. */
void cpu_open(void);

/* How many vector registers the CPU has, and words in each; and whether it has what an instruction needs. */
uint32_t cpu_vector_count(void);
uint32_t cpu_vector_words(void);
bool cpu_has(const instruction *i);

/* Where the instruction stands, where memory is that it may touch, and where jumps lead. */
uint64_t cpu_place(void);
uint64_t cpu_scratch(void);
uint64_t cpu_target(const instruction *i);

/* The instruction is executed from now on. */
void cpu_write(const instruction *i);

/* Random registers, flags and memory for the instruction: edges are frequent, addresses lie in the scratch.
 */
void cpu_prepare(cpu_state *before, const instruction *i, random_source *random);

void cpu_run(const cpu_state *before, cpu_state *after);

/* The byte that was at an address of the scratch; 0 elsewhere. */
uint8_t cpu_memory_before(uint64_t address);

/* What the scratch has to be after this run, besides as before; words of one write follow each other. */
void cpu_memory_expect(uint64_t address, uint64_t value, uint32_t bytes);

/* Compares, and the scratch is as it is expected from then on. */
bool cpu_memory_is_expected(void);

#endif
