/*
 * What a path owes: for all values for which it is taken, each of its obligations holds. All paths together
 * are all that the accessor does; so it keeps the contract if each path owes nothing that it does not keep.
 */
#ifndef MEMFOLD_GEN_VERIFY_OBLIGE_H
#define MEMFOLD_GEN_VERIFY_OBLIGE_H

#include "verify/paths.h"
#include "verify/spec.h"
#include "verify/tables.h"

/* By what it is said which accesses are allowed. Each is the contract, on memories on which it is as strong
 * as the others. */
typedef enum ruling {
    RULING_BY_LAYOUT,  /* by the layout's pages and the heap end */
    RULING_BY_PERMS,   /* by the live permission table, whatever it holds */
    RULING_BY_TABLE,   /* by a constant table of arbitrary content, which agrees with the layout's pages */
    RULING_BY_ANSWER,  /* by what mf_rt_accessible says, whatever that is */
    RULING_BY_ANYTHING /* by somebody else, such as the MMU: a variable */
} ruling;

/* One try at a proof. */
typedef struct attempt {
    ruling ruling;
    table_form form;   /* of RULING_BY_TABLE */
    bool knows_hot;    /* what a table says of the hot window is known from the layout */
    bool memory_alone; /* the accessor is exact for every layout, and compares the backend only */
} attempt;

/* The contract as terms. */
typedef struct contract {
    const spec *spec;
    const verify_function *function;
    const spec_access *access;
    term index;
    term base;
    term words[2];      /* the value of a store in general registers; else 0 */
    term length;        /* of a range; else 0 */
    term code;          /* what mf_rt_fault is told of operation and length */
    term host;          /* base + index */
    term allowed;       /* at the heap end that is read first */
    term allowed_later; /* at the one that is read once more: what was allowed still is */
    bool trusts_mmu;    /* what goes on after the access was allowed: the MMU has said so */
    term is_fresh;      /* the layout stamp is what it has to be */
    uint64_t stamp;
    term actual_stamp; /* the view's, for the index */
    uint64_t limit;
    term conditions; /* what every state at an entry fulfils */
} contract;

contract contract_make(const spec *s, terms *t, const path_inputs *in, const verify_function *function,
                       const attempt *a);

typedef struct obligation {
    term holds;
    const char *broken; /* what is wrong if it does not hold */
} obligation;

#define OBLIGATIONS_MAX 48

/* What one path owes, and when it is taken. */
typedef struct duty {
    term taken;
    obligation obligations[OBLIGATIONS_MAX];
    uint32_t count;
} duty;

void duty_make(duty *d, terms *t, const paths *all, const path *p, const contract *c);

/*
 * What is owed on every wrong way, whatever branches ask: where lookups stay; with a mask where the access
 * goes, with how many bytes, and where it returns to. `looks_up`: the accessor looks up a table in memory.
 */
void duty_make_on_wrong_ways(duty *d, terms *t, const paths *all, const path *p, const contract *c,
                             const attempt *a, bool looks_up);

/* All obligations of a duty are kept. */
term duty_kept(terms *t, const duty *d);

#endif
