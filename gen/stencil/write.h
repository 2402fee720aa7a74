/*
 * Accessor sets written from stencils: copied and filled, ready to run where they are written or where
 * somebody maps them to. No lock, no allocation, no system call.
 *
 * A set is code, then data that only its code and the runtime read: addresses of the runtime, entries of the
 * exception table, the plans' constant tables. All of that is position-independent. Behind it is room for the
 * mf_accessors, which are not.
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
    uint8_t check;      /* the place of the check among them; STENCIL_PIECES_MAX: there is none */
    uint8_t first_step; /* behind the stamp */
} stencil_pieces;

/* A set that is going to be written. */
typedef struct stencil_set {
    const plan_set *plans;
    const mf_accessor_options *options;
    stencil_pieces pieces[MF_ACCESSOR_COUNT];
    uint32_t functions[MF_ACCESSOR_COUNT]; /* where each begins, from the start of the set */
    uint32_t function_bytes[MF_ACCESSOR_COUNT];
    uint32_t addresses; /* and where these are */
    uint32_t entries;
    uint32_t entry_count;
    uint32_t tables[2];  /* by mf_operation */
    uint32_t code_bytes; /* code and data: so many are written */
    uint32_t accessors;
    uint32_t bytes; /* with the accessors */
} stencil_set;

/*
 * Chooses the stencils for these plans, which were made under these options; both stay the caller's as long
 * as the set is used. False, and nothing is written, if some plan has a shape that is not on the list.
 */
bool stencil_set_choose(const plan_set *plans, const mf_accessor_options *options, stencil_set *set);

/* Writes code and data, which run at any multiple of STENCIL_SET_ALIGNMENT. */
void stencil_set_write(const stencil_set *set, unsigned char *write);

/* The accessors of a set whose functions are there, and which runs at `run`. */
mf_accessors stencil_accessors(const uint32_t functions[MF_ACCESSOR_COUNT], plan_fit fit, uintptr_t run);

#endif
