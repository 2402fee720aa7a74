/*
 * Engines whose code is made by a client's own JIT: from the functions of mf_embed_define, and access by
 * access with a builder. Both give the accessors of the ABI, so that they can be compared like every other
 * engine.
 */
#ifndef MEMFOLD_TEST_EMBED_ENGINES_H
#define MEMFOLD_TEST_EMBED_ENGINES_H

#include "engines.h"

#include <stdint.h>

/* The type in which the builder-level engines move 32 and 64 bits. */
typedef enum embed_type { EMBED_INTEGERS, EMBED_FLOATS, EMBED_POINTERS, EMBED_TYPE_COUNT } embed_type;

/* How code is made from now on. `offset` is the constant part of each 33-bit index at builder level. */
typedef struct embed_style {
    const char *pipeline; /* NULL: as it was emitted */
    uint32_t offset;
    embed_type type;
    bool keeps_state;     /* base and heap end are loaded at the entry and handed in */
    uint32_t hot_address; /* of each access */
    uint32_t hot_percent; /* 0: no hint */
} embed_style;

extern embed_style embed_style_now;

extern const engine EMBED_ENGINES[];
extern const size_t EMBED_ENGINE_COUNT;

#endif
