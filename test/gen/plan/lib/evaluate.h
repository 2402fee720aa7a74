/*
 * The answer of a plan's steps to one access or range, by the words of plan.h alone: nothing here knows which
 * steps belong to which check.
 */
#ifndef MEMFOLD_TEST_EVALUATE_H
#define MEMFOLD_TEST_EVALUATE_H

#include <memfold/plan.h>

/* The memory that the steps ask. */
typedef struct evaluated_memory {
    const unsigned char *perms;
    const uint8_t *table; /* the plan's */
    uint64_t heap_end;
    uint64_t fingerprint;
} evaluated_memory;

typedef struct evaluated_access {
    uint64_t index;
    uint64_t length; /* the plan's width, or that of a range */
} evaluated_access;

/* Where the steps lead; with a mask `*touched` is where an access would go if every branch were mispredicted.
 */
mf_exit evaluate(const mf_plan *plan, const evaluated_memory *memory, evaluated_access access,
                 uint64_t *touched);

#endif
