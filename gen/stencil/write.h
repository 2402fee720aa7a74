/*
 * Accessor sets written from stencils: copied, patched, and ready to run where they are written or where
 * somebody maps them to. No lock, no allocation, no system call.
 *
 * A set is code, then data that only its code and the runtime know: addresses of the runtime, the
 * mf_accessors, the plans' constant tables, entries of the exception table. All of it is position-independent
 * but the members of mf_accessors and the addresses of the runtime.
 */
#ifndef MEMFOLD_GEN_STENCIL_WRITE_H
#define MEMFOLD_GEN_STENCIL_WRITE_H

#include "plan/fit.h"
#include "plan/set.h"

#include <memfold/exception_table.h>

/* What the run address of a set is a multiple of. */
#define STENCIL_SET_ALIGNMENT 64

/* The stencils of one accessor, by their numbers, in the order of their places. */
#define STENCIL_PIECES_MAX 4
typedef struct stencil_pieces {
    uint16_t numbers[STENCIL_PIECES_MAX];
    uint8_t count;
    uint8_t check; /* the place of the check among them; STENCIL_PIECES_MAX: there is none */
    uint8_t first_step;
    uint8_t has_fault; /* the last one is where faults go */
} stencil_pieces;

/* A set that is going to be written. */
typedef struct stencil_set {
    const plan_set *plans;
    const mf_accessor_options *options;
    stencil_pieces pieces[MF_ACCESSOR_COUNT];
    uint32_t functions[MF_ACCESSOR_COUNT]; /* where each begins, from the start of the set */
    uint32_t function_bytes[MF_ACCESSOR_COUNT];
    uint32_t addresses; /* and where these are */
    uint32_t accessors;
    uint32_t entries;
    uint32_t entry_count;
    uint32_t tables[2]; /* by mf_operation */
    size_t bytes;       /* all of it: so many are written */
} stencil_set;

/*
 * Chooses the stencils for these plans, which were made under these options; both stay the caller's as long
 * as the set is used. False, and nothing is written, if some plan has a shape that is not on the list.
 */
bool stencil_set_choose(const plan_set *plans, const mf_accessor_options *options, stencil_set *set);

/*
 * Writes the set to `write`, to run at `run`: set->bytes bytes. `write` is aligned to 8 bytes, `run` to
 * STENCIL_SET_ALIGNMENT.
 */
void stencil_set_write(const stencil_set *set, plan_fit fit, unsigned char *write, uintptr_t run);

#endif
