/*
 * Which parts of the arena's ranges are free: a good fit in constant time (two-level segregated fit, Masmano
 * et al. 2004). Free blocks are kept by size, eight lists for each power of two; a block that becomes free is
 * merged with its free neighbours at once. Sizes are in units, and what is known of a block stands outside of
 * it, so that code is never written to find memory for code.
 */
#ifndef MEMFOLD_GEN_JIT_ARENA_BLOCKS_H
#define MEMFOLD_GEN_JIT_ARENA_BLOCKS_H

#include "jit/gdb_object.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BLOCK_UNIT_BYTES 64
#define BLOCK_LEVELS 32
#define BLOCK_LISTS 8 /* for each level */

typedef enum block_state {
    BLOCK_FREE,    /* in a list */
    BLOCK_TAKEN,   /* by a client */
    BLOCK_GIVEN,   /* back by the client, until the next barrier */
    BLOCK_RETIRED, /* never used again; it goes with its chunk */
} block_state;

typedef struct block {
    void *chunk;            /* the range that it is part of */
    struct block *previous; /* its neighbours in the range, by address */
    struct block *next;
    struct block *list_previous; /* in the list of its size while it is free */
    struct block *list_next;     /* there, or of those that were given or are unused records */
    uint32_t start;              /* in units from the beginning of the range */
    uint32_t units;
    block_state state;
    gdb_names names;
} block;

typedef struct blocks {
    uint32_t levels;             /* a bit for each level with a free block */
    uint8_t lists[BLOCK_LEVELS]; /* a bit for each list with one */
    block *free[BLOCK_LEVELS][BLOCK_LISTS];
} blocks;

/* Records of blocks. All zero at first. */
typedef struct block_records {
    block *unused;
    struct block_slab *slabs;
} block_records;

/* After it returned true, one call of blocks_add or blocks_take finds the record that it needs. */
bool block_records_foresee(block_records *records);
void block_records_fini(block_records *records);

/* All of a range as one free block, which is returned. */
block *blocks_add(blocks *all, block_records *records, void *chunk, uint32_t units);

/* Takes the first `units` of a free block that has so many, and at least as much as needed is left in none
 * that fits better by its list. NULL if there is none. */
block *blocks_take(blocks *all, block_records *records, uint32_t units);

/* The block is free, and one with its free neighbours; returns that one. */
block *blocks_give(blocks *all, block_records *records, block *given);

/* A free block leaves its list. */
void blocks_remove(blocks *all, block *removed);

/* The records of a range's blocks, from its first one on, are unused. None of them is in a list. */
void blocks_forget(block_records *records, block *first);

#endif
