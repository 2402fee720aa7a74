/* Clones and ends of memories on hosts: some by pools, so that what a guest has left would show. */
#ifndef MEMFOLD_TEST_ENGINES_POOLS_H
#define MEMFOLD_TEST_ENGINES_POOLS_H

#include "engines.h"

#include <memfold/pool.h>

/* By backend, empty ranges and index, with small pages. */
static mf_pool *pools[2][2][2];

static mf_pool *pool_of(const mf_memory *memory, mf_empty_range empty_range) {
    const mf_memory_config config = {.backend = mf_memory_backend(memory),
                                     .huge_pages = MF_HUGE_PAGES_NEVER,
                                     .empty_range = empty_range,
                                     .index = mf_memory_index_of(memory)};
    mf_pool **place = &pools[config.backend][empty_range][config.index];
    mf_diag diag;
    if (*place == NULL)
        engines_must(mf_pool_create(&(mf_pool_config){.memory = &config, .max_memories = 8}, place, &diag),
                     &diag, "mf_pool_create");
    return *place;
}

mf_memory *engines_clone(const mf_memory *memory, mf_empty_range empty_range) {
    static unsigned turn;
    mf_memory *clone;
    mf_diag diag;
    if (turn++ % 3 == 0)
        engines_must(mf_memory_clone(memory, &clone, &diag), &diag, "mf_memory_clone");
    else
        engines_must(mf_pool_clone(pool_of(memory, empty_range), memory, &clone, &diag), &diag,
                     "mf_pool_clone");
    return clone;
}

void engines_discard(mf_memory *memory, mf_empty_range empty_range) {
    mf_pool_give(pool_of(memory, empty_range), memory);
}

static void destroy_pools(void) {
    for (int i = 0; i < 8; i++) {
        mf_pool **place = &pools[i / 4][i / 2 % 2][i % 2];
        mf_pool_destroy(*place);
        *place = NULL;
    }
}

#endif
