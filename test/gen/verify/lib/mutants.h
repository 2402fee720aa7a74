/*
 * Mutants: code that is wrong in one way. They are made from the outside, on what each maker passes on to
 * the next: the plan, the IR as text, the assembly as text, the bytes that stencils were written to. So
 * planner, emitters and patcher have no switch, and no library can contain one.
 */
#ifndef MEMFOLD_TEST_MUTANTS_H
#define MEMFOLD_TEST_MUTANTS_H

#include "sample_layouts.h"

#include "plan/set.h"
#include "stencil/write.h"

#include <memfold/jit.h>
#include <memfold/options.h>

typedef struct mutant {
    const char *name;
    sample sample;
    mf_accessor_options options;
    bool by_stencils;

    /* One of them: plans are changed; `from` becomes `to` in IR or assembly; bytes of a set are changed. */
    void (*change_plans)(plan_set *plans);
    const char *ir_from;
    const char *ir_to;
    const char *assembly_from;
    const char *assembly_to;
    void (*change_bytes)(const stencil_set *set, unsigned char *bytes);

    const char *function; /* of the texts: where; NULL: everywhere */
    bool is_unknown;      /* it has something that the prover does not know: it is not proved */
    bool is_unseen;       /* a call with the counterexample does not show what is wrong */
    bool is_unswept;      /* nor do other calls */
} mutant;

extern const mutant MUTANTS[];
extern const size_t MUTANT_COUNT;

/* Makes code of the mutant that `mutant_choose` has named last; NULL: code without a change. */
extern const mf_code_maker mutant_maker;
void mutant_choose(const mutant *m);

#endif
