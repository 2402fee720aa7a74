/* Counterexamples: from the solver's values, or by trying states at the layout's edges. */
#ifndef MEMFOLD_GEN_VERIFY_REFUTE_H
#define MEMFOLD_GEN_VERIFY_REFUTE_H

#include "verify/oblige.h"

#include <memfold/verify.h>

/* The values of all terms at one state, as terms_evaluate and solver_values write them. */
typedef struct state_values {
    const uint64_t *values;    /* by term */
    const uint64_t *variables; /* by number */
} state_values;

/* What is wrong with a state: the path that is taken, and the first obligation that does not hold. */
typedef struct finding {
    const path *path;
    const char *broken;
    bool is_speculative;
} finding;

/* What is at the state besides, of functions that are no accessors. */
void state_make(verify_state *s, const terms *t, const path_inputs *in, const contract *c,
                const state_values *at);

/* Describes the state; `names_pages`: its permissions are no layout's. */
void counterexample_make(mf_counterexample *e, const terms *t, const paths *all, const contract *c,
                         const finding *f, const state_values *at, bool names_pages);

/* All that is wrong in duties: true if there is something, for a state that the contract's conditions admit.
 */
bool find_broken(const paths *all, const duty *duties, const duty *wrong_ways, const state_values *at,
                 finding *f);

/*
 * Tries states around the edges of the layout's regions and of `pages` (indices, `page_count` of them), with
 * the tables that are there. `c` is a contract that is ruled by anything; its variable gets the layout's
 * answer. True if one of them is a counterexample; `state` may be NULL.
 */
bool try_states(const verify_code *code, terms *t, const paths *all, const contract *c, const duty *duties,
                const duty *wrong_ways, const uint64_t *indices, uint32_t index_count, mf_counterexample *e,
                verify_state *state);

#endif
