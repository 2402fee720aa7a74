/*
 * What the loops and the peers of `memfold bench` read: an mf_view, and behind it what the peers keep. Shared
 * by the command and by the bitcode that it carries.
 */
#ifndef MEMFOLD_TOOLS_BENCH_GUEST_H
#define MEMFOLD_TOOLS_BENCH_GUEST_H

#include <memfold/accessors.h>

#include <stdint.h>

#define GUEST_TLB_ENTRIES 256
#define GUEST_TLB_EMPTY UINT64_MAX

/*
 * Fields are 64 bits wide where guest accesses are 32: the compiler then knows by their types that a guest
 * store changes none of them.
 */
typedef struct guest_window {
    uint64_t start;
    uint64_t size;
} guest_window;

/* The maximal windows of one operation, sorted by address. */
typedef struct guest_windows {
    const guest_window *all;
    uint64_t count;
} guest_windows;

typedef struct guest_tlb_entry {
    uint64_t page;        /* the page's number, or GUEST_TLB_EMPTY */
    uint64_t host_offset; /* host address - guest address, of a page that the operation may touch */
} guest_tlb_entry;

typedef struct guest_view {
    mf_view view;         /* first: accessors take a pointer to it */
    mf_load_fn *load_u32; /* engines that are called */
    mf_store_fn *store_u32;
    uint64_t len;
    guest_windows windows[2];                  /* by mf_operation */
    guest_tlb_entry tlb[2][GUEST_TLB_ENTRIES]; /* by mf_operation */
} guest_view;

/* What a loop has seen, for the comparison of the engines. */
typedef struct guest_tally {
    uint64_t sum;    /* of the values loaded, in the loop's own order */
    uint64_t faults; /* accesses that were refused */
} guest_tally;

/* A run of words for the sequential loops. */
typedef struct guest_run {
    uint32_t start;
    uint32_t words;
} guest_run;

/* The work of one batch. */
typedef struct guest_batch {
    const uint32_t *addresses; /* random: every fourth is stored to */
    uint64_t count;            /* of addresses, a multiple of 4; of steps; of runs */
    const guest_run *runs;
    uint64_t repeats;
    uint32_t first; /* where the dependent chain begins */
} guest_batch;

/* The loops, in the order of loops.c. */
typedef enum guest_loop_id {
    LOOP_RANDOM,
    LOOP_DEPENDENT,
    LOOP_SEQUENTIAL,
    LOOP_SCALAR,
    LOOP_COUNT
} guest_loop_id;

typedef void guest_loop(mf_view *view, const guest_batch *work, guest_tally *tally);

/*
 * The value that a batch stores at an address: the same in every repetition, so that the second leaves memory
 * as it found it.
 */
static inline uint32_t guest_stored(uint32_t address) {
    return address * UINT32_C(2654435761) + 1;
}

#endif
