/*
 * Shapes: what is left of a plan and its options without their numbers. Pure. Stamps, accesses and faults are
 * numbered one by one; checks are a list that tool/list.c makes from plans, found by their steps.
 */
#ifndef MEMFOLD_GEN_STENCIL_SHAPES_H
#define MEMFOLD_GEN_STENCIL_SHAPES_H

#include "plan/number.h"

#include <memfold/options.h>
#include <memfold/plan.h>

/* ---- Checks ---- */

/* What changes the code of a check besides its steps. */
enum {
    CHECK_U33 = 1,  /* the index has 64 bits */
    CHECK_WIDE = 2, /* some number of 64 bits is no SIGNED_32 */
    CHECK_BASE = 4, /* the base is an argument before the address */
    CHECK_STORE = 8 /* of a page's permission stores ask more */
};

/* A byte for each step behind the stamp, the first one lowest. Two shapes are the same if both fields are. */
typedef struct check_shape {
    uint64_t steps;
    uint32_t variant;
} check_shape;

/* The first step behind the stamp. */
uint32_t shape_first_step(const mf_plan *plan);

/* Of a plan that compares. False if some step is not one of those that code without a compiler knows. */
bool check_shape_make(const mf_plan *plan, const mf_accessor_options *options, check_shape *shape);

/* True if a check with these steps has numbers of 64 bits that may be wide. */
bool check_shape_has_wide(const mf_plan *plan);

static inline uint32_t check_shape_hash(const check_shape *shape) {
    uint64_t mixed = (shape->steps ^ (uint64_t)shape->variant << 59) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(mixed >> 40);
}

/* ---- Stamps, accesses, faults ---- */

/* Where the base comes from, and how large a constant one is: 0, a SIGNED_32 at or above 0, any. */
typedef enum shape_base {
    SHAPE_BASE_VIEW,
    SHAPE_BASE_ARGUMENT,
    SHAPE_BASE_ZERO,
    SHAPE_BASE_SMALL,
    SHAPE_BASE_WIDE,
    SHAPE_BASE_COUNT
} shape_base;

/* How an access that the MMU checks leaves. */
typedef enum shape_mmu { SHAPE_MMU_RETURN, SHAPE_MMU_TRAP, SHAPE_MMU_TRAP_GUEST, SHAPE_MMU_COUNT } shape_mmu;

/* A stencil for each, in this order: stamps, plain accesses, paged accesses, faults. */
#define SHAPE_STAMP_COUNT (2 * 3)
#define SHAPE_PLAIN_COUNT (MF_ACCESSOR_COUNT * 2 * 2 * SHAPE_BASE_COUNT * 2)
#define SHAPE_PAGED_COUNT (MF_ACCESSOR_COUNT * 2 * SHAPE_MMU_COUNT * SHAPE_BASE_COUNT * 2)
#define SHAPE_FAULT_COUNT (MF_ACCESSOR_COUNT * 2 * 2 * 2 * 2)
#define SHAPE_PART_COUNT (SHAPE_STAMP_COUNT + SHAPE_PLAIN_COUNT + SHAPE_PAGED_COUNT + SHAPE_FAULT_COUNT)

/* What the options say to the numbers of all parts of a set. */
typedef struct shape_way {
    shape_base base;
    shape_mmu mmu;
    uint32_t is_big_endian;
    uint32_t traps;
    uint32_t is_u33;
    uint32_t has_base; /* as an argument */
} shape_way;

shape_way shape_way_of(const mf_accessor_options *options);

/* The numbers of the parts. */
uint32_t shape_stamp(const mf_plan *plan);

/* `is_u33`: the index that the access is handed has 64 bits, as it has behind a mask. */
static inline uint32_t shape_plain(mf_accessor_id id, const shape_way *way, uint32_t is_u33) {
    uint32_t place = ((id * 2u + way->is_big_endian) * 2 + way->traps) * SHAPE_BASE_COUNT + way->base;
    return SHAPE_STAMP_COUNT + place * 2 + is_u33;
}

static inline uint32_t shape_paged(mf_accessor_id id, const shape_way *way) {
    uint32_t place =
        ((id * 2u + way->is_big_endian) * SHAPE_MMU_COUNT + way->mmu) * SHAPE_BASE_COUNT + way->base;
    return SHAPE_STAMP_COUNT + SHAPE_PLAIN_COUNT + place * 2 + way->is_u33;
}

static inline uint32_t shape_fault(mf_accessor_id id, const shape_way *way, uint32_t has_limit) {
    uint32_t place = ((id * 2u + way->traps) * 2 + way->has_base) * 2 + has_limit;
    return SHAPE_STAMP_COUNT + SHAPE_PLAIN_COUNT + SHAPE_PAGED_COUNT + place * 2 + way->is_u33;
}

#endif
