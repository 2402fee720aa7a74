#include "jit/readers.h"

#include <sched.h>

/* Threads take the shards in turn. */
static unsigned shard_of_thread(void) {
    static atomic_uint next;
    static _Thread_local unsigned mine; /* 0: none yet */
    if (mine == 0)
        mine = 1 + atomic_fetch_add_explicit(&next, 1, memory_order_relaxed) % READERS_SHARDS;
    return mine - 1;
}

reader readers_enter(readers *all) {
    unsigned phase = atomic_load(&all->phase) & 1;
    reader one = {&all->shards[shard_of_thread()].count[phase]};
    atomic_fetch_add(one.count, 1);
    return one;
}

/*
 * Everything here is sequentially consistent. Whoever saw the old pointer had counted itself before it was
 * unlinked, and so before this call; its count is seen as zero only after it has left. Newcomers count
 * themselves in the other phase, so a phase empties; both are waited for, because a reader may have read the
 * phase long ago and count itself in the one that is drained first.
 */
void readers_drain(readers *all) {
    for (int i = 0; i < 2; i++) {
        unsigned phase = atomic_fetch_xor(&all->phase, 1) & 1;
        for (unsigned s = 0; s < READERS_SHARDS; s++)
            while (atomic_load(&all->shards[s].count[phase]) != 0)
                sched_yield();
    }
}
