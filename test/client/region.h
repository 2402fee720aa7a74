/*
 * A region: the code that can be reached from an address by falling through, branching and jumping, but not
 * by calling or returning. Mostly that is one function of the source, or the rest of one.
 */
#ifndef CLIENT_REGION_H
#define CLIENT_REGION_H

#include "decode.h"
#include "guest.h"

#include <stddef.h>

/* A region is not explored beyond this; what is missing is another region. */
#define REGION_INSTRUCTIONS_MAX 4096

/* A basic block: [pc, end), or less if another begins before its end. */
typedef struct region_block {
    uint32_t pc;
    uint32_t end;
    bool is_entry; /* other code comes back here, or begins here */
} region_block;

typedef struct region {
    region_block *blocks; /* the first is where the region was begun */
    size_t block_count;
    size_t capacity;
    uint32_t uses;   /* bit i: register i is read or written */
    uint32_t writes; /* bit i: register i is written */
} region;

/* False if the host has no memory. */
bool region_explore(region *r, const guest *g, uint32_t entry);
void region_fini(region *r);

/* The number of the block that begins at `pc`, or block_count. */
size_t region_find(const region *r, uint32_t pc);

#endif
