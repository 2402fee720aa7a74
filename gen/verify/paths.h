/*
 * All ways through one accessor, from its entry to every end, by executing its instructions on terms. At each
 * branch both ways are followed, whatever is known of the condition: so the paths are also those that a CPU
 * takes when it predicts wrongly.
 */
#ifndef MEMFOLD_GEN_VERIFY_PATHS_H
#define MEMFOLD_GEN_VERIFY_PATHS_H

#include "verify/code.h"
#include "verify/model.h"
#include "verify/spec.h"

/* What the accessor is entered with, as variables; and what the call of mf_rt_fault gives back. */
typedef struct path_inputs {
    term registers[16];
    term flags[MODEL_FLAGS];
    term base; /* fields of the view, 64 bits */
    term perms;
    term heap_end;       /* as it is read first */
    term heap_end_later; /* and once more: it may have grown in between */
    term layout_stamp;   /* what code compares that has 32-bit indices, and what code with 33-bit ones does */
    term u33_stamp;
    term fault_kind; /* 32 bits: MF_PAGE_FAULT or MF_WRITE_PROTECTED */
    /* Of embedded functions only, else none: */
    term answer; /* 32 bits: 1 or 0, of mf_rt_accessible */
    term vectors[VECTOR_REGISTERS][VECTOR_BYTES / 8];
} path_inputs;

/* How a path ends. */
typedef enum path_end {
    PATH_RETURNS,
    PATH_LEAVES, /* it has called what does not come back */
    PATH_BREAKS  /* it does what no accessor may do: `trouble` says what */
} path_end;

/* What the MMU has said to the access. */
typedef enum path_mmu { PATH_MMU_NOT_ASKED, PATH_MMU_ALLOWS, PATH_MMU_REFUSES } path_mmu;

/*
 * The access to the guest's bytes: what instructions load or store side by side, at constant distances from
 * each other and no byte twice, is one access.
 */
typedef struct path_access {
    uint32_t count; /* at most one; the first is the one that is described */
    uint32_t instructions;
    uint64_t at;      /* the last instruction */
    uint64_t resume;  /* where the first one's exception entry leads; 0: it has none */
    term address;     /* of the lowest byte */
    uint64_t touched; /* bit n: byte n is accessed */
    bool is_store;
    term stored[64]; /* bytes, from the address on */
} path_access;

/* A call of the runtime. */
typedef struct path_call {
    uint32_t count;
    mf_rt_entry entry;
    term arguments[4];
    bool is_aligned; /* the stack, as the ABI says */
} path_call;

/* A call of mf_rt_accessible. */
typedef struct path_question {
    uint32_t count;
    term arguments[3];
    bool is_aligned;
} path_question;

/* A read of memory by a number that is computed. */
typedef struct path_lookup {
    term_space space;
    term offset; /* from the table's start, in bytes */
    uint32_t bytes;
} path_lookup;

#define PATH_CONDITIONS_MAX 64
#define PATH_LOOKUPS_MAX 16

typedef struct path {
    term conditions[PATH_CONDITIONS_MAX]; /* the path is taken where all of them are 1 */
    uint32_t condition_count;
    path_access access;
    path_mmu mmu;
    path_call call;
    path_question question;
    path_lookup lookups[PATH_LOOKUPS_MAX];
    uint32_t lookup_count;
    uint32_t heap_end_reads;
    path_end end;
    model_state final;   /* at the end, with the return address on top of the stack for PATH_RETURNS */
    bool stops;          /* of PATH_BREAKS: at ud2 or int3, where mispredicted ways end as well */
    const char *trouble; /* static text */
    uint64_t trouble_at;
} path;

/* How many ranges of an object may be read by address. */
#define PATH_PLACES_MAX 16

typedef struct paths {
    path *paths;
    uint32_t count;
    uint32_t capacity;
    path_inputs inputs;
    term places[PATH_PLACES_MAX]; /* where the ranges of an object come to lie; 0: not asked */
    uint64_t table;               /* where the constant table is that paths look up; 0: none */
    char reason[256];             /* why not all of the code is understood; empty: it is */
    bool has_failed;              /* the host has no memory */
} paths;

/*
 * Writes all paths of `function` in `code`, as made for `options`. They are complete if `reason` is empty.
 * To be ended by paths_fini, whatever came out.
 */
void paths_find(paths *p, terms *t, decoder *d, const verify_code *code, const mf_accessor_options *options,
                const verify_function *function);
void paths_fini(paths *p);

/* How far the index is shifted on its way to the entry at `offset` of a table: a page's bits at least, or 0.
 */
uint64_t path_lookup_shift(const terms *t, term offset);

#endif
