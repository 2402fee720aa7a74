/*
 * A memory for the next guest: what pools do with one that is given back. Between the two it has no views but
 * its own, and nobody uses it.
 */
#ifndef MEMFOLD_RUNTIME_MEMORY_REUSE_H
#define MEMFOLD_RUNTIME_MEMORY_REUSE_H

#include "memory_start.h"

/*
 * The memory is as it was created, with the stamp of that layout, and says in kept_bytes how much of the
 * host's memory it keeps. False: it is good for destroy only; so it is with the next.
 */
bool memory_renew(mf_memory *memory);

/* The memory, which was renewed, is as one that was created so. */
bool memory_reuse(mf_memory *memory, const creation *to);

/*
 * The memory, which is as it was created, is as a clone of `from`: both have one configuration and began
 * alike, and `from` has no mapping of another image.
 */
bool memory_follow(mf_memory *memory, mf_memory *from);

#endif
