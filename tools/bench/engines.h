/* Which engines `memfold bench` measures: what a layout's loads and stores are made of. */
#ifndef MEMFOLD_TOOLS_BENCH_ENGINES_H
#define MEMFOLD_TOOLS_BENCH_ENGINES_H

#include <memfold/options.h>

#include <stdbool.h>
#include <stddef.h>

#define BENCH_ENGINE_NAME_BYTES 40
#define BENCH_ENGINES_MAX 32

typedef enum bench_form {
    FORM_PEER,    /* C from guest/peers.c, inlined */
    FORM_INLINED, /* memfold's accessors in the loop's own module */
    FORM_CALLED,  /* memfold's accessors through pointers, made by LLVM */
    FORM_STENCIL, /* the same, made by stencils */
    FORM_GENERIC  /* the runtime's accessors through pointers */
} bench_form;

typedef struct bench_engine {
    char name[BENCH_ENGINE_NAME_BYTES];
    bench_form form;
    const char *peer; /* the prefix of its functions, for FORM_PEER */
    mf_accessor_options options;
    bool exact;     /* it may be given accesses that fault */
    bool is_rival;  /* an exact peer, of which memfold is to be ahead */
    bool by_signal; /* a fault of it costs microseconds, so it is given fewer */
} bench_engine;

typedef struct bench_engines {
    bench_engine all[BENCH_ENGINES_MAX];
    size_t count;
} bench_engines;

/*
 * The usual engines, or those of `wanted`, "a,b", where engines of programs are passed over; then
 * `strategies`, "a,b" (NULL: none), as further ones. Bad words are bad usage.
 */
void bench_engines_make(bench_engines *list, const char *wanted, const char *strategies);

/* Writes the names of all engines, those of programs too, as "a|b|c". */
void bench_engines_list(char *choices, size_t choices_bytes);

#endif
