/*
 * The jit's cache: mf_code by layout content and options. A hash table that is read without a lock; the jit's
 * cache_lock is held around every change.
 */
#ifndef MEMFOLD_GEN_JIT_CACHE_H
#define MEMFOLD_GEN_JIT_CACHE_H

#include "jit/epoch.h"
#include "jit/shapes.h"

#include <memfold/jit.h>

typedef enum code_state { CODE_COMPILING = 0, CODE_READY, CODE_FAILED } code_state;

struct mf_code {
    mf_jit *jit;
    mf_layout *layout;
    mf_accessor_options options;
    atomic_size_t references; /* 0: dead, never to be retained again */
    atomic_int state;         /* code_state, changed under the jit's lock; all below is written before that */
    shape *shape;
    mf_accessors accessors; /* the shape's, for this layout */
    mf_status failure;
    mf_diag diag;
};

typedef struct cache_table cache_table;

/* All zero at first. */
typedef struct cache {
    _Atomic(cache_table *) table; /* NULL until something is inserted */
    size_t count;                 /* of codes */
    epoch readers;
} cache;

void cache_fini(cache *cache);

/*
 * The code with this key, or NULL; it may be dead. It stays allocated while the caller holds the lock or is
 * among the readers.
 */
mf_code *cache_lookup(cache *cache, const mf_layout *layout, const mf_accessor_options *options);

/* A reference to the code with this key if it is there and ready, otherwise NULL. Needs no lock. */
mf_code *cache_retain_ready(cache *cache, const mf_layout *layout, const mf_accessor_options *options);

/* True if the code was alive and now has one more reference. */
bool cache_retain(mf_code *code);

/* Adds `code`, whose key is not there yet. False if the host has no memory. */
bool cache_insert(cache *cache, mf_code *code);

/* `code` is not in the cache, and no reader without a lock knows it any more. */
void cache_remove(cache *cache, mf_code *code);

#endif
