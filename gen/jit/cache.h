/*
 * The jit's cache: mf_code by layout content and options. An ordered tree of the C library; the jit's lock
 * is held around every call.
 */
#ifndef MEMFOLD_GEN_JIT_CACHE_H
#define MEMFOLD_GEN_JIT_CACHE_H

#include "jit/shapes.h"

#include <memfold/jit.h>

typedef enum code_state { CODE_COMPILING = 0, CODE_READY, CODE_FAILED } code_state;

struct mf_code {
    mf_jit *jit;
    mf_layout *layout;
    mf_accessor_options options;
    size_t references; /* under the jit's lock */
    code_state state;  /* under the jit's lock; the rest is written before it becomes CODE_READY */
    shape *shape;
    mf_status failure;
    mf_diag diag;
};

typedef struct cache {
    void *root;
} cache;

/* The code with this key, or NULL. */
mf_code *cache_lookup(const cache *cache, const mf_layout *layout, const mf_accessor_options *options);

/* Adds `code`, whose key is not there yet. False if the host has no memory. */
bool cache_insert(cache *cache, mf_code *code);
void cache_remove(cache *cache, const mf_code *code);

#endif
