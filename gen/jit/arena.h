/*
 * Memory for code that is made at run time: a few large ranges, cut into slots. What is written at one
 * address is executed at another, and no address is both writable and executable; where the host forbids
 * that, a slot is pages of its own, which change from one to the other.
 *
 * One thread at a time for one arena: the jit's link_lock, under which code is made and freed. Slots that are
 * published are executed by any thread without a lock.
 *
 * Forks. After a fork parent and child share the ranges, so neither writes to one that was there before: what
 * is free in it stays unused, what is taken stays as it is until it is given back, and new slots are cut from
 * new ranges. No thread forks while a slot is between take and publish; the jit's gate sees to it. A child
 * that does not run the handlers of pthread_atfork (_Fork, clone) has no writable view at all.
 *
 * Reuse. A slot that was given back is written again only after a barrier behind which every thread has
 * executed a serialising instruction, so that no processor has anything left of the old code; one barrier is
 * for a whole batch, and is executed by whoever gives the last of it. Where the host refuses membarrier,
 * slots are not reused: a range is unmapped when its last slot is given back.
 *
 * Each range is known to gdb and, where there is one, to the unwinder of C++, under the terms of unwind.h for
 * the code in it.
 */
#ifndef MEMFOLD_GEN_JIT_ARENA_H
#define MEMFOLD_GEN_JIT_ARENA_H

#include "jit/gdb_object.h"

#include <memfold/status.h>

#include <stddef.h>
#include <stdint.h>

typedef struct arena arena;

/* Slots begin at multiples of this, and take a multiple of it. */
#define ARENA_ALIGNMENT 64

/* A part of the arena: `bytes` writable at `write` until it is published, executed and read at `run`. */
typedef struct arena_slot {
    unsigned char *write;
    uintptr_t run;
    size_t bytes;
    void *own; /* the arena's */
} arena_slot;

/* Makes an arena without ranges. Best before the process has threads: the kernel is then told at once that
 * there will be barriers. MF_OUT_OF_MEMORY. */
mf_status arena_create(arena **made, mf_diag *diag);

/* Everything is unmapped; nobody executes a slot. NULL does nothing. */
void arena_destroy(arena *a);

/*
 * Takes a slot of at least `bytes`, which are not 0, whose content is undefined. MF_OUT_OF_MEMORY; MF_IO if
 * the host refuses memory for code for another reason.
 */
mf_status arena_take(arena *a, size_t bytes, arena_slot *slot, mf_diag *diag);

/*
 * The slot can be executed, and is not written any more. Nothing is done for slots with two views. Fails as
 * arena_take; the slot is then to be given back.
 */
mf_status arena_publish(arena *a, const arena_slot *slot, mf_diag *diag);

/* Takes the slot back, published or not; nobody executes it any more. It is named no more. */
void arena_give(arena *a, arena_slot *slot);

/* From now on gdb knows <prefix>_<name> of each function of a published slot. Without memory it does not. */
void arena_name(arena *a, const arena_slot *slot, const char *prefix, const arena_function *functions,
                size_t count);

/* What the arena has. */
typedef struct arena_usage {
    size_t ranges;
    size_t kept_ranges; /* of these, how many are only kept for slots from before a fork */
    size_t mapped_bytes;
    size_t taken_bytes;
    size_t reached_bytes; /* from the beginning of each range to the end of the last slot that it ever had */
} arena_usage;

arena_usage arena_usage_get(const arena *a);

#endif
