/*
 * Readers that neither lock nor wait, and a writer that waits for them. A reader enters, loads a pointer to
 * something that does not change, uses it, and leaves; a writer that has replaced the pointer drains before
 * it frees or reuses what the pointer led to.
 *
 * Readers are counted in two phases, as in sleepable RCU: a reader enters the phase of the moment, and a
 * phase is drained after a switch to the other one. So a phase empties however many newcomers there are. The
 * counts are split into shards, each on cache lines of its own, so that threads that read at the same time
 * need not share one. Entering and leaving are async-signal-safe: which shard it is is the caller's to say,
 * and nothing here looks at thread-local storage.
 *
 * All operations are sequentially consistent, and so is the exchange of the pointer.
 */
#ifndef MEMFOLD_GEN_JIT_EPOCH_H
#define MEMFOLD_GEN_JIT_EPOCH_H

#include <memfold/abi.h>

#include <stdatomic.h>

MF_STATIC_ASSERT(ATOMIC_LONG_LOCK_FREE == 2 && ATOMIC_INT_LOCK_FREE == 2 && ATOMIC_POINTER_LOCK_FREE == 2,
                 "signal handlers may be readers");

#define EPOCH_SHARDS 16
#define EPOCH_SHARD_BYTES 128

/* The readers of one shard, by the phase that they entered in. */
typedef struct epoch_shard {
    atomic_ulong count[2];
    char apart[EPOCH_SHARD_BYTES - 2 * sizeof(atomic_ulong)];
} epoch_shard;

/* All zero at first. What every reader reads, the phase and whatever stands before it, is apart from the
 * counts. */
typedef struct epoch {
    atomic_uint phase; /* the lowest bit */
    char apart[EPOCH_SHARD_BYTES - sizeof(atomic_uint)];
    epoch_shard shards[EPOCH_SHARDS];
} epoch;

/* What `enter` gives and `leave` takes. */
typedef struct epoch_reader {
    atomic_ulong *count;
} epoch_reader;

static inline unsigned epoch_phase(epoch *e) {
    return atomic_load(&e->phase) & 1;
}

/* The second half of epoch_enter, for a phase that was read before and may have passed meanwhile. */
static inline epoch_reader epoch_enter_phase(epoch *e, unsigned shard, unsigned phase) {
    epoch_reader self = {&e->shards[shard].count[phase]};
    atomic_fetch_add(self.count, 1);
    return self;
}

/* From now until it leaves, nothing that the caller loads is freed. `shard` is less than EPOCH_SHARDS. */
static inline epoch_reader epoch_enter(epoch *e, unsigned shard) {
    return epoch_enter_phase(e, shard, epoch_phase(e));
}

static inline void epoch_leave(epoch_reader self) {
    atomic_fetch_sub(self.count, 1);
}

/*
 * Returns when every reader that entered before the call has left; `wait` is called in between, with the
 * number of calls before it. One writer at a time.
 *
 * A reader that has loaded the old pointer counted itself before the pointer was replaced, and so before this
 * call; the count that it is in is seen as zero only after it has left. Both phases are drained: between
 * reading the phase and counting itself a reader may be delayed for as long as a whole drain, and then it is
 * counted in the phase that is not the current one.
 */
static inline void epoch_drain(epoch *e, void (*wait)(unsigned attempt)) {
    for (unsigned i = 0; i < 2; i++) {
        unsigned phase = atomic_fetch_xor(&e->phase, 1) & 1;
        for (unsigned shard = 0; shard < EPOCH_SHARDS; shard++)
            for (unsigned attempt = 0; atomic_load(&e->shards[shard].count[phase]) != 0; attempt++)
                wait(attempt);
    }
}

/* No thread is a reader any more: for a child of fork, in which the readers' threads do not exist. */
static inline void epoch_forget_readers(epoch *e) {
    for (unsigned shard = 0; shard < EPOCH_SHARDS; shard++) {
        atomic_store(&e->shards[shard].count[0], 0);
        atomic_store(&e->shards[shard].count[1], 0);
    }
}

#endif
