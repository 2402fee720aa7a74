/* The rows of `memfold bench --only=programs`: what the accesses of a program are made of, and on which map.
 */
#ifndef MEMFOLD_TOOLS_BENCH_PROGRAM_ENGINES_H
#define MEMFOLD_TOOLS_BENCH_PROGRAM_ENGINES_H

#include <memfold/options.h>

#include <stdbool.h>
#include <stddef.h>

#define PROGRAM_ENGINES_MAX 32

typedef enum program_form {
    PROGRAM_FORM_NATIVE,   /* pointers of C */
    PROGRAM_FORM_SCALAR,   /* the same without vectorisers */
    PROGRAM_FORM_PEER,     /* C from programs/access.c, inlined */
    PROGRAM_FORM_BUILDER,  /* mf_embed_load and mf_embed_store, access by access, with the program's types */
    PROGRAM_FORM_FUNCTIONS /* the functions of mf_embed_define: integers of 64 bits */
} program_form;

/* The guest's maps: the program's arrays are spread over the regions that have their permission. */
typedef enum program_map_id {
    PROGRAM_MAP_1,    /* one region */
    PROGRAM_MAP_4,    /* four with holes between them, the last one read-only */
    PROGRAM_MAP_HEAP, /* one that is read-only, and two with a heap between them that has grown in part */
    PROGRAM_MAP_16,   /* sixteen, every fourth one read-only */
    PROGRAM_MAP_COUNT
} program_map_id;

typedef struct program_engine {
    const char *name;
    program_form form;
    program_map_id map;
    const char *peer; /* the prefix of its functions, for PROGRAM_FORM_PEER */
    bool hot;         /* hot_address and hot_percent come from a profile of the program */
    /* Of memfold's: on_fault = trap, base = argument and index = u33 are added. Of others: where they run. */
    mf_accessor_options options;
} program_engine;

typedef struct program_engines {
    const program_engine *all[PROGRAM_ENGINES_MAX];
    size_t count;
} program_engines;

/* All of them, or those named in `wanted`, "a,b"; words that are no engine of programs are passed over. */
void program_engines_make(program_engines *list, const char *wanted);

/* The rows in their order; NULL behind the last. */
const program_engine *program_engine_get(size_t place);

/* NULL: there is no such engine. */
const program_engine *program_engine_lookup(const char *name);

/* Counts the accesses of each page: no row, but what the profiles come from. */
extern const program_engine program_engine_counted;

#endif
