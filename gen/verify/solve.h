/* Questions about terms, and the solver that answers them. Nothing else here knows z3. */
#ifndef MEMFOLD_GEN_VERIFY_SOLVE_H
#define MEMFOLD_GEN_VERIFY_SOLVE_H

#include "verify/term.h"

#include <memfold/verify.h>

/* A solver; it answers questions about one pool of terms after the other. */
typedef struct solver solver;

typedef enum answer {
    ANSWER_NEVER,  /* there are no values for which all that is required holds */
    ANSWER_VALUES, /* there are, and solver_values has them */
    ANSWER_UNKNOWN /* not within the limits */
} answer;

/* NULL if there is no memory. */
solver *solver_create(const mf_verify_limits *limits);
void solver_destroy(solver *s);

/* From now on questions are about terms of `t`. */
void solver_use(solver *s, terms *t);

/*
 * Bytes of the permission table are permissions, and MF_PERM_NONE from MF_SPACE_PAGES on; those of constant
 * data are at most `most`.
 */
void solver_set_table_most(solver *s, uint64_t most);

/* A new question: nothing is required yet. */
void solver_begin(solver *s);

/* The term, of one bit, is 1. */
void solver_require(solver *s, term a);

answer solver_ask(solver *s);

/*
 * After ANSWER_VALUES: writes values of all terms for which what is required holds, and of the variables by
 * their number. There is room for t->count and for t->variable_count.
 */
void solver_values(solver *s, uint64_t *values, uint64_t *variables);

#endif
