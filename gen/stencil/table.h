/*
 * The table of stencils: machine code with holes, made once by tool/ from the same emitters as all other
 * code. It is constant data; nothing in it is an address.
 *
 * A stencil is a piece of an accessor. An accessor is up to four of them, one behind the other, which jump to
 * each other and keep the arguments where the caller has put them:
 *
 *     stamp     compares layout or backend; goes on to the rest, or panics
 *     check     compares; goes on to the access, or to the fault
 *     access    moves the bytes and returns; on paged with its own fault path
 *     fault     records the fault and returns, or leaves
 */
#ifndef MEMFOLD_GEN_STENCIL_TABLE_H
#define MEMFOLD_GEN_STENCIL_TABLE_H

#include "stencil/shapes.h"

#include <memfold/abi.h>

#include <stddef.h>
#include <stdint.h>

/* How a hole is written. X(ID, bytes) */
#define STENCIL_FORMS(X)                                                                                     \
    X(BYTE, 1)                                                                                               \
    X(HALF, 4)     /* 32 bits of the number */                                                               \
    X(WHOLE, 8)    /* 64 bits of the number */                                                               \
    X(RELATIVE, 4) /* how far a place is from the hole */

typedef enum stencil_form {
#define MF_X(ID, bytes) STENCIL_##ID,
    STENCIL_FORMS(MF_X)
#undef MF_X
} stencil_form;

/* What relative holes lead to; the last is followed by all entries of the runtime (mf_rt_entry). */
typedef enum stencil_place {
    STENCIL_PLACE_REST,   /* what follows the stamp */
    STENCIL_PLACE_ACCESS, /* what follows the check */
    STENCIL_PLACE_FAULT,
    STENCIL_PLACE_TABLE, /* the plan's constant data */
    STENCIL_PLACE_ENTRY  /* where the address of the entry MF_RT_FAULT, ... stands */
} stencil_place;

/* How the first of them are called in the object that the table is made from. */
#define STENCIL_PLACE_SYMBOLS {"mf_place_rest", "mf_place_access", "mf_place_fault", "mf_place_table"}

/* Hole by hole, in any order. */
typedef struct stencil_hole {
    uint16_t offset; /* in the stencil's bytes */
    uint8_t form;    /* stencil_form */
    uint8_t what;    /* plan_number, or the stencil_place of a relative one */
    uint8_t step;    /* the number's place among the steps behind the stamp */
    int8_t addend;
    uint8_t range; /* plan_range: what the number may be, so that the code means what it says */
    uint8_t unused;
} stencil_hole;

/* There is no instruction that may fault. */
#define STENCIL_NO_FAULT 0xffff

typedef struct stencil {
    uint32_t code;       /* where its bytes begin */
    uint32_t first_hole; /* and its holes */
    uint16_t code_bytes;
    uint16_t hole_count;
    uint16_t fault; /* the instruction that may, and where it goes on then */
    uint16_t resume;
} stencil;

/* One check of the list. */
typedef struct stencil_check {
    check_shape shape;
    uint32_t stencil;
} stencil_check;

/* Bytes are copied in pieces of so many; behind the last stencil's are as many more. */
#define STENCIL_COPY_BYTES 16

typedef struct stencil_table {
    const unsigned char *code;
    const stencil_hole *holes;
    const stencil *stencils;
    const stencil_check *checks;
    const uint16_t *slots; /* by check_shape_hash, then the next ones: check + 1, 0 for none */
    const uint16_t *parts; /* the stencils of stamps, accesses and faults, by their numbers (shapes.h) */
    uint32_t code_bytes;
    uint32_t hole_count;
    uint32_t stencil_count;
    uint32_t check_count;
    uint32_t slot_mask; /* their number, a power of two, - 1 */
} stencil_table;

/* The number of this layout of the table: a file that was made for another does not compile. */
#define STENCIL_TABLE_VERSION 1

extern const stencil_table STENCIL_TABLE;

#endif
