#include "jit/arena.h"

#include "jit/arena_blocks.h"
#include "jit/arena_host.h"
#include "jit/unwind.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A barrier takes a microsecond and more: it is shared by this many bytes. */
#define BATCH_BYTES ((size_t)64 << 10)

/* Each range is twice as large as the one before, from the size of one huge page to this. In one of this size
 * are some five thousand sets, and the names of so many are moved in a millisecond when they need more room.
 */
#define RANGE_BYTES_MAX ((size_t)8 << 20)

/* No slot is larger. */
#define SLOT_BYTES_MAX ((size_t)1 << 30)

/* What a range gets of memory at once: little at first, because most programs need no more. */
#define FIRST_STEP_BYTES ((size_t)64 << 10)
#define STEP_BYTES ((size_t)256 << 10)

/* What is executed where no code is any more: int3. */
#define NO_CODE 0xcc

typedef struct chunk {
    struct chunk *next;
    struct chunk *previous;
    host_range range;
    size_t ready_bytes; /* from the beginning: what has its memory */
    size_t taken;       /* blocks */
    size_t given;       /* blocks that wait for the barrier */
    size_t taken_bytes;
    unsigned births; /* of the process when it was mapped */
    bool is_kept;    /* from before a fork: it is not written, and goes with its last slot */
    block *first;
    unwind_info unwind;
    gdb_object *gdb;
} chunk;

struct arena {
    chunk *chunks; /* the last one mapped first */
    size_t chunk_count;
    unsigned fork_stamp; /* when forks were looked for last */
    bool has_barrier;
    blocks two_views;
    blocks one_view;
    block_records records;
    block *given; /* until the next barrier */
    size_t given_bytes;
    size_t page_bytes;
    size_t next_range_bytes;
};

/* ---- Chunks ---- */

static blocks *blocks_of(arena *a, const chunk *c) {
    return c->range.has_two_views ? &a->two_views : &a->one_view;
}

static void chunk_link(arena *a, chunk *c) {
    c->next = a->chunks;
    if (c->next != NULL)
        c->next->previous = c;
    a->chunks = c;
    a->chunk_count++;
}

static void chunk_unlink(arena *a, chunk *c) {
    if (c->next != NULL)
        c->next->previous = c->previous;
    if (c->previous != NULL)
        c->previous->next = c->next;
    else
        a->chunks = c->next;
    a->chunk_count--;
}

/* A child has only the view that is executed, and once it is kept so has the parent. */
static bool has_write(const chunk *c) {
    return !c->is_kept && c->births == host_births();
}

/* None of its blocks is in a list. */
static void chunk_destroy(arena *a, chunk *c) {
    chunk_unlink(a, c);
    gdb_object_destroy(c->gdb);
    unwind_unregister(&c->unwind);
    host_unmap(&c->range, has_write(c));
    blocks_forget(&a->records, c->first);
    free(c);
}

/* The range is the arena's own and has its place in the lists. */
static void chunk_begin(arena *a, chunk *c) {
    c->births = host_births();
    c->first = blocks_add(blocks_of(a, c), &a->records, c, (uint32_t)(c->range.bytes / BLOCK_UNIT_BYTES));
    chunk_link(a, c);
    unwind_info_init(&c->unwind, (uintptr_t)c->range.run, c->range.bytes);
    unwind_register(&c->unwind);
    c->gdb = gdb_object_create((uintptr_t)c->range.run, c->range.bytes, &c->unwind);
}

/* The last one mapped stays without slots, since it would soon be mapped again. */
static bool is_spare(const arena *a, const chunk *c) {
    return !c->is_kept && c == a->chunks;
}

/* A chunk whose last slot has gone goes too. */
static void chunk_settle(arena *a, chunk *c) {
    if (c->taken > 0 || c->given > 0 || is_spare(a, c))
        return;
    for (block *b = c->first; b != NULL; b = b->next)
        if (b->state == BLOCK_FREE)
            blocks_remove(blocks_of(a, c), b);
    chunk_destroy(a, c);
}

/* Two views; where the host refuses these for whatever reason, one. */
static int map_range(size_t bytes, host_range *range) {
    int error = host_map_two_views(bytes, range);
    return error == 0 ? 0 : host_map_one_view(bytes, range);
}

static size_t round_up(size_t bytes, size_t step) {
    return (bytes + step - 1) / step * step;
}

static mf_status refuse_range(mf_diag *diag, size_t bytes, int error) {
    char reason[128];
    if (error == ENOMEM || error == EAGAIN)
        return mf_diag_set(diag, MF_OUT_OF_MEMORY, bytes, "the host has no memory for code");
    return mf_diag_set(diag, MF_IO, (uint64_t)error, "the host refuses memory for code: %s",
                       strerror_r(error, reason, sizeof reason));
}

/* Maps a new range that a slot of `bytes` fits into: as large as it should be, or what the host has. */
static mf_status grow(arena *a, size_t bytes, mf_diag *diag) {
    size_t least = round_up(bytes, HOST_HUGE_BYTES);
    size_t wanted = least > a->next_range_bytes ? least : a->next_range_bytes;
    chunk *c = calloc(1, sizeof *c);
    if (c == NULL || !block_records_foresee(&a->records)) {
        free(c);
        return mf_diag_set(diag, MF_OUT_OF_MEMORY, sizeof *c, "no memory for code");
    }
    int error = map_range(wanted, &c->range);
    while (error != 0 && wanted > least) {
        wanted = wanted / 2 > least ? round_up(wanted / 2, HOST_HUGE_BYTES) : least;
        error = map_range(wanted, &c->range);
    }
    if (error != 0) {
        free(c);
        return refuse_range(diag, wanted, error);
    }
    chunk *before = a->chunks;
    chunk_begin(a, c);
    if (before != NULL)
        chunk_settle(a, before);
    if (a->next_range_bytes < RANGE_BYTES_MAX)
        a->next_range_bytes *= 2;
    return MF_OK;
}

/* ---- Blocks ---- */

static size_t start_of(const block *b) {
    return (size_t)b->start * BLOCK_UNIT_BYTES;
}

static size_t bytes_of(const block *b) {
    return (size_t)b->units * BLOCK_UNIT_BYTES;
}

/*
 * The first `bytes` of the range have their memory. A range of one huge page gets it as small ones, for those
 * that have little code; for larger ranges the kernel is asked for each as a whole.
 */
static bool make_ready(chunk *c, size_t bytes) {
    while (c->ready_bytes < bytes) {
        if (c->range.bytes > HOST_HUGE_BYTES && c->ready_bytes % HOST_HUGE_BYTES == 0 &&
            host_collapse(&c->range, c->ready_bytes)) {
            c->ready_bytes += HOST_HUGE_BYTES;
            continue;
        }
        size_t step = c->ready_bytes < STEP_BYTES ? FIRST_STEP_BYTES : STEP_BYTES;
        if (!host_populate(&c->range, c->ready_bytes, step))
            return false;
        c->ready_bytes += step;
    }
    return true;
}

/* ---- Forks ---- */

/* Whoever writes to the chunk now would write to that of another process. What is free or given in it is
 * never used again. */
static void chunk_keep(arena *a, chunk *c) {
    if (has_write(c))
        host_unmap_write(&c->range);
    c->is_kept = true;
    c->given = 0;
    for (block *b = c->first; b != NULL; b = b->next) {
        if (b->state == BLOCK_FREE)
            blocks_remove(&a->two_views, b);
        if (b->state != BLOCK_TAKEN)
            b->state = BLOCK_RETIRED;
    }
}

/* Of those that were given only ranges with one view have any left: they are not shared. */
static void drop_retired(arena *a) {
    block **at = &a->given;
    while (*at != NULL) {
        block *b = *at;
        if (b->state == BLOCK_RETIRED) {
            a->given_bytes -= bytes_of(b);
            *at = b->list_next;
        } else {
            at = &b->list_next;
        }
    }
}

/*
 * While another thread forks, the child may come to be at any moment: until that is over each call finds all
 * ranges shared, also those mapped since.
 */
static void follow_forks(arena *a) {
    unsigned stamp = host_fork_stamp();
    if (a->fork_stamp == stamp && !host_is_forking())
        return;
    a->fork_stamp = stamp;
    for (chunk *c = a->chunks; c != NULL; c = c->next)
        if (c->range.has_two_views && !c->is_kept)
            chunk_keep(a, c);
    drop_retired(a);
    for (chunk *c = a->chunks, *next; c != NULL; c = next) {
        next = c->next;
        if (c->is_kept)
            chunk_settle(a, c);
    }
    a->next_range_bytes = HOST_HUGE_BYTES;
}

/* ---- Reuse ---- */

/* Pages with one view are writable again; those that the host leaves executable are not used any more. */
static void make_free(arena *a, chunk *c, block *b) {
    c->given--;
    if (c->range.has_two_views || host_set_executable(&c->range, start_of(b), bytes_of(b), false) == 0)
        blocks_give(blocks_of(a, c), &a->records, b);
    else
        b->state = BLOCK_RETIRED;
}

/* Without barriers every slot is used once. */
static void give_up_reuse(arena *a) {
    a->has_barrier = false;
    for (block *b = a->given; b != NULL; b = b->list_next)
        b->state = BLOCK_RETIRED;
    a->given = NULL;
    a->given_bytes = 0;
    for (chunk *c = a->chunks, *next; c != NULL; c = next) {
        next = c->next;
        c->given = 0;
        chunk_settle(a, c);
    }
}

/* All that was given is free. */
static void reuse(arena *a) {
    if (!host_barrier()) {
        give_up_reuse(a);
        return;
    }
    block *given = a->given;
    a->given = NULL;
    a->given_bytes = 0;
    while (given != NULL) {
        block *next = given->list_next;
        chunk *c = given->chunk;
        make_free(a, c, given);
        chunk_settle(a, c);
        given = next;
    }
}

/* ---- Slots ---- */

/* Slots with one view are whole pages, because pages are what changes from writable to executable. */
static block *take_free(arena *a, size_t bytes) {
    block *taken = blocks_take(&a->two_views, &a->records,
                               (uint32_t)(round_up(bytes, BLOCK_UNIT_BYTES) / BLOCK_UNIT_BYTES));
    if (taken == NULL)
        taken = blocks_take(&a->one_view, &a->records,
                            (uint32_t)(round_up(bytes, a->page_bytes) / BLOCK_UNIT_BYTES));
    return taken;
}

/* A free block that is large enough: there, or after a barrier, or in a new range. */
static mf_status find_block(arena *a, size_t bytes, block **found, mf_diag *diag) {
    if (!block_records_foresee(&a->records))
        return mf_diag_set(diag, MF_OUT_OF_MEMORY, 0, "no memory for code");
    *found = take_free(a, bytes);
    if (*found == NULL && a->given != NULL) {
        reuse(a);
        *found = take_free(a, bytes);
    }
    if (*found != NULL)
        return MF_OK;
    mf_status status = grow(a, bytes, diag);
    if (status == MF_OK && !block_records_foresee(&a->records))
        status = mf_diag_set(diag, MF_OUT_OF_MEMORY, 0, "no memory for code");
    if (status == MF_OK)
        *found = take_free(a, bytes);
    return status;
}

mf_status arena_take(arena *a, size_t bytes, arena_slot *slot, mf_diag *diag) {
    block *taken = NULL;
    follow_forks(a);
    if (bytes > SLOT_BYTES_MAX)
        return mf_diag_set(diag, MF_OUT_OF_MEMORY, bytes, "no slot for code is that large");
    mf_status status = find_block(a, bytes, &taken, diag);
    if (status != MF_OK)
        return status;
    chunk *c = taken->chunk;
    size_t start = start_of(taken);
    if (c->ready_bytes < start + bytes_of(taken) && !make_ready(c, start + bytes_of(taken))) {
        blocks_give(blocks_of(a, c), &a->records, taken);
        return mf_diag_set(diag, MF_OUT_OF_MEMORY, bytes, "the host has no memory for code");
    }
    c->taken++;
    c->taken_bytes += bytes_of(taken);
    *slot = (arena_slot){c->range.write + start, (uintptr_t)c->range.run + start, bytes_of(taken), taken};
    return MF_OK;
}

mf_status arena_publish(arena *a, const arena_slot *slot, mf_diag *diag) {
    const block *b = slot->own;
    const chunk *c = b->chunk;
    (void)a;
    if (c->range.has_two_views)
        return MF_OK;
    int error = host_set_executable(&c->range, start_of(b), bytes_of(b), true);
    return error == 0 ? MF_OK : refuse_range(diag, slot->bytes, error);
}

/* A call that comes too late meets no half of other code. */
static void erase(const chunk *c, const block *b) {
    if (c->range.has_two_views)
        memset(c->range.write + start_of(b), NO_CODE, bytes_of(b));
}

void arena_give(arena *a, arena_slot *slot) {
    follow_forks(a);
    block *b = slot->own;
    chunk *c = b->chunk;
    gdb_object_remove(c->gdb, &b->names);
    c->taken--;
    c->taken_bytes -= bytes_of(b);
    *slot = (arena_slot){0};
    if (c->is_kept || !a->has_barrier) {
        b->state = BLOCK_RETIRED;
        chunk_settle(a, c);
        return;
    }
    erase(c, b);
    b->state = BLOCK_GIVEN;
    c->given++;
    b->list_next = a->given;
    a->given = b;
    a->given_bytes += bytes_of(b);
    if (a->given_bytes >= BATCH_BYTES)
        reuse(a);
}

void arena_name(arena *a, const arena_slot *slot, const char *prefix, const arena_function *functions,
                size_t count) {
    block *b = slot->own;
    chunk *c = b->chunk;
    (void)a;
    gdb_object_add(c->gdb, &b->names, slot->run, prefix, functions, count);
}

/* ---- The arena ---- */

mf_status arena_create(arena **made, mf_diag *diag) {
    arena *a = calloc(1, sizeof *a);
    if (a == NULL || !host_follow_forks()) {
        free(a);
        return mf_diag_set(diag, MF_OUT_OF_MEMORY, sizeof *a, "no memory for code");
    }
    a->has_barrier = host_barrier_foresee();
    a->fork_stamp = host_fork_stamp();
    a->page_bytes = host_page_bytes();
    a->next_range_bytes = HOST_HUGE_BYTES;
    *made = a;
    return MF_OK;
}

void arena_destroy(arena *a) {
    if (a == NULL)
        return;
    while (a->chunks != NULL)
        chunk_destroy(a, a->chunks);
    block_records_fini(&a->records);
    free(a);
}

static size_t reached_bytes(const chunk *c) {
    const block *last = c->first;
    while (last->next != NULL)
        last = last->next;
    return last->state == BLOCK_FREE ? start_of(last) : c->range.bytes;
}

arena_usage arena_usage_get(const arena *a) {
    arena_usage usage = {.ranges = a->chunk_count};
    for (const chunk *c = a->chunks; c != NULL; c = c->next) {
        usage.kept_ranges += c->is_kept;
        usage.mapped_bytes += c->range.bytes;
        usage.taken_bytes += c->taken_bytes;
        usage.reached_bytes += reached_bytes(c);
    }
    return usage;
}
