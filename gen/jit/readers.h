/*
 * Readers that neither lock nor wait, and a writer that waits for them: whoever has unlinked something drains
 * before freeing it. Readers are counted apart, so that threads that read at once do not share a cache line.
 */
#ifndef MEMFOLD_GEN_JIT_READERS_H
#define MEMFOLD_GEN_JIT_READERS_H

#include <stdatomic.h>

#define READERS_SHARDS 16

/* The threads of one shard that are reading, by the phase that they entered in; alone on its cache lines. */
typedef struct readers_shard {
    atomic_ulong count[2];
    char apart[128 - 2 * sizeof(atomic_ulong)];
} readers_shard;

/* All zero at first. */
typedef struct readers {
    atomic_uint phase;
    readers_shard shards[READERS_SHARDS];
} readers;

/* What `leave` takes back, from the same thread. */
typedef struct reader {
    atomic_ulong *count;
} reader;

reader readers_enter(readers *all);

static inline void readers_leave(reader one) {
    atomic_fetch_sub(one.count, 1);
}

/* Returns when every reader that entered before the call has left. One thread at a time. */
void readers_drain(readers *all);

#endif
