/*
 * The seam between the jit, which knows layouts, plans and a cache, and those who make code of plans:
 * stencils, and LLVM in a library of its own. The jit passes the plans of one accessor set, and is handed
 * functions.
 *
 * All calls come from inside the jit's gate: while the process forks no thread is in any of them, whatever
 * maker it is. So fork handlers of a maker wait for nobody and find its locks free, and the makers enter no
 * gate themselves.
 */
#ifndef MEMFOLD_GEN_JIT_MAKER_H
#define MEMFOLD_GEN_JIT_MAKER_H

#include "plan/fit.h"

#include <memfold/jit.h>

/* What the code of a set is made from; all of it outlives the made set. */
typedef struct maker_input {
    const plan_set *plans;
    const mf_accessor_options *options;
    plan_fit fit;       /* which memories the accessors are exact for */
    const char *prefix; /* of the names for debuggers and profilers; no other set of the state has it. For the
                           call only */
} maker_input;

/* `accessors` live until unmake, in what the maker keeps at `own`. */
typedef struct made_set {
    const mf_accessors *accessors;
    void *own;
} made_set;

struct mf_code_maker {
    const char *name;    /* in messages */
    const char *version; /* MF_VERSION where it was compiled: what stands above has no other version */

    /*
     * Writes what the sets of one jit are made with. The symbol prefix of `config` is a valid one, or NULL.
     * Fails as mf_jit_create.
     */
    mf_status (*open)(const mf_jit_config *config, void **state, mf_diag *diag);

    /* Everything has been unmade. */
    void (*close)(void *state);

    /*
     * Writes a new set. Its code is never writable and executable through one address, its exception table is
     * registered. Fails as mf_jit_get, and then nothing is left. One thread at a time for one state, which
     * holds for unmake too.
     */
    mf_status (*make)(void *state, const maker_input *input, made_set *made, mf_diag *diag);

    /* Nobody is inside the accessors, and no fault handler will look for their entries: all of the set goes.
     */
    void (*unmake)(void *state, made_set *made);
};

#endif
