/*
 * What is to be proved, whoever made it: machine code and constant data at the addresses where they run.
 *
 * Code of this process is described by its own addresses, and read from the process. Code of an object is
 * laid out by who reads the object: every section at an address of its choice, relocations applied, a word
 * for each entry of the global offset table, and an address for each entry point of the runtime, at which
 * nothing is read.
 */
#ifndef MEMFOLD_GEN_VERIFY_CODE_H
#define MEMFOLD_GEN_VERIFY_CODE_H

#include "verify/decode.h"
#include "verify/spec.h"

#include <memfold/accessors.h>
#include <memfold/verify.h>

/* `count` bytes that are `bytes` at address `start`, and that nobody writes. */
typedef struct verify_range {
    uint64_t start;
    uint64_t count;
    const unsigned char *bytes;
} verify_range;

/* The instruction at `access` may fault, and continues at `resume` if it does. */
typedef struct verify_entry {
    uint64_t access;
    uint64_t resume;
} verify_entry;

/* Told what a proof has come by. Any of the functions may be NULL. */
typedef struct verify_observer {
    void *context;
    /* `count` bytes at `address` are an instruction of the accessor: some path executes it. */
    void (*executed)(void *context, mf_accessor_id id, uint64_t address, uint32_t count);
    /* The instruction at `address` is the accessor's one guest access, and the proof uses its entry. */
    void (*used_entry)(void *context, mf_accessor_id id, uint64_t access);
    /* `count` bytes at `address` are read as constant data: a word of the offset table, or a whole table. */
    void (*read_data)(void *context, mf_accessor_id id, uint64_t address, uint64_t count);
} verify_observer;

typedef struct verify_code {
    const verify_range *ranges; /* they do not overlap; any order */
    size_t range_count;
    bool is_of_process;  /* what no range holds is read from this process */
    bool is_relocatable; /* ranges may come to lie elsewhere: only their own offsets are known */
    /* Where an entry point of the runtime is called, by mf_rt_entry; 0: it cannot be called. */
    uint64_t runtime[MF_RT_ENTRY_COUNT];
    const verify_entry *entries;
    size_t entry_count;
    bool takes_registered_entries; /* mf_exception_table_lookup knows them, too */
    uint64_t accessors[MF_ACCESSOR_COUNT];
    verify_observer observer;
} verify_code;

/*
 * What is proved at once: an accessor, or an access in a client's code with a function around it that is like
 * one. Arguments are the view, with base = argument the base, the index, and then what is said here. A load
 * returns its value and with a status return the status in the next general register; all else returns the
 * status alone. Behind a fault the value may be anything.
 */
typedef enum verify_value {
    VERIFY_VALUE_WORD,      /* up to 8 bytes, extended: rax, or the next argument; after a fault it is 0 */
    VERIFY_VALUE_TWO_WORDS, /* 9 to 16 bytes: rax and rdx, or the next two arguments, the lower one first */
    VERIFY_VALUE_VECTORS,   /* any number of bytes: xmm0, ..., each with its lowest `vector_bytes` */
    VERIFY_VALUE_ADDRESS,   /* there is no access: rax is the host address of one that is allowed */
    VERIFY_VALUE_LENGTH /* there is no access: what is asked is a range, whose length is the next argument */
} verify_value;

typedef struct verify_function {
    mf_accessor_id id; /* for observers and results; MF_ACCESSOR_COUNT: it is no accessor */
    uint64_t entry;
    spec_access access;
    verify_value value;
    uint32_t vector_bytes; /* 16, 32 or 64 */
    uint32_t offset;       /* of a client's access, added to the index argument without wrapping */
    bool is_embedded; /* it may touch vector registers, access in several instructions, and ask the runtime */
} verify_function;

/* Where the entry points of this process are. */
void verify_code_set_runtime(verify_code *code);

/* Copies `count` bytes at `address`. False if not all of them are readable: then nothing is promised of `to`.
 */
bool verify_code_read(const verify_code *code, uint64_t address, void *to, uint64_t count);

/* Where the instruction at `access` continues after a fault, or 0; where no code is, if entries differ. */
uint64_t verify_code_resume(const verify_code *code, uint64_t access);

/* Which entry point is called at `address`, or MF_RT_ENTRY_COUNT. */
mf_rt_entry verify_code_entry(const verify_code *code, uint64_t address);

/*
 * A prover for one layout, one set of options and one set of limits; `options` and `limits` may be NULL. It
 * proves one accessor after the other, in one thread at a time. `layout` is the caller's, and outlives it;
 * NULL: any layout, for code that asks the memory itself. Statuses as mf_verify_accessors.
 */
typedef struct verify_prover verify_prover;
mf_status verify_prover_create(const mf_layout *layout, const mf_accessor_options *options,
                               const mf_verify_limits *limits, verify_prover **prover, mf_diag *diag);
void verify_prover_destroy(verify_prover *prover);

/* Writes what is proved of accessor `id`, which has the ABI of the prover's options. */
mf_status verify_prover_prove(verify_prover *prover, const verify_code *code, mf_accessor_id id,
                              mf_verify_result *result, mf_diag *diag);

/* A counterexample's part that accessors do not have. */
typedef struct verify_state {
    uint64_t vectors[VECTOR_REGISTERS][VECTOR_BYTES / 8];
    uint8_t bytes[64]; /* the guest's at the index */
    uint64_t length;
    uint32_t answer; /* of mf_rt_accessible */
} verify_state;

/* The same of any function. `state` is written for MF_VERDICT_REFUTED; NULL is fine. */
mf_status verify_prover_prove_function(verify_prover *prover, const verify_code *code,
                                       const verify_function *function, mf_verify_result *result,
                                       verify_state *state, mf_diag *diag);

/* The same for all of them. */
mf_status verify_prover_prove_all(verify_prover *prover, const verify_code *code, mf_verify_report *report,
                                  mf_diag *diag);

#endif
