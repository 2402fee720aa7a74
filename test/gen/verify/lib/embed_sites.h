/*
 * Inlined accesses, each in a function with the ABI of code.h (verify_function): built by the embed API,
 * compiled by a client's JIT, and proved. Everything here ends the program with a message if it fails.
 */
#ifndef MEMFOLD_TEST_EMBED_SITES_H
#define MEMFOLD_TEST_EMBED_SITES_H

#include "client.h"
#include "sample_layouts.h"

#include <verify/code.h>

#include <memfold/embed.h>

/* The vector registers that a function may use: all of an x86-64, or those of extensions. */
typedef enum embed_vectors { EMBED_SSE, EMBED_AVX, EMBED_AVX512, EMBED_VECTORS_COUNT } embed_vectors;

/* One access. */
typedef struct embed_site {
    const char *name;  /* the function's */
    mf_accessor_id id; /* proved as this accessor; MF_ACCESSOR_COUNT: as what it is */
    mf_operation operation;
    verify_value value;
    LLVMTypeRef t_access; /* what is loaded or stored; NULL: an address or a range */
    uint32_t width_bytes; /* of an address; else embed_build writes it */
    uint32_t value_bits;  /* embed_build writes them */
    uint32_t offset;
    bool is_given_state; /* base and heap end are loaded before, and handed in */
    bool sign_extends;
    bool is_after_range; /* a check of the range, of a length that LLVM does not know, and then no other */
} embed_site;

/* Sites of one layout and one set of options, in one module. */
typedef struct embed_session {
    mf_layout *layout;
    mf_accessor_options options;
    embed_vectors vectors;
    client_module module;
    mf_embed *embed;
    mf_embed *unchecked;
    char entries[80]; /* the name of its exception table; empty: it has none */
    client_code code;
    verify_prover *prover;  /* for the layout; as soon as it is loaded */
    const embed_site *site; /* that is built */
} embed_session;

embed_session embed_open(sample sample, const mf_accessor_options *options, embed_vectors vectors);

/* The access of an accessor: its integer. */
embed_site embed_site_of(const embed_session *s, mf_accessor_id id);

void embed_build(embed_session *s, embed_site *site);

/* A change of the module's text: wherever `from` stands, which it does. */
typedef struct embed_change {
    const char *from;
    const char *to;
} embed_change;

/* Ends the module: changed (NULL: not), optimised by the pipeline (NULL: as emitted), and loaded. */
void embed_load(embed_session *s, const char *pipeline, const embed_change *change);

/* Against the contract of the session's options and of `layout`; NULL: of its own layout. */
void embed_prove(const embed_session *s, const mf_layout *layout, const embed_site *site,
                 mf_verify_result *result, verify_state *state);

void embed_close(embed_session *s);

/* What was tried, for messages. */
void embed_print(const embed_session *s, const embed_site *site, const mf_verify_result *result);

#endif
