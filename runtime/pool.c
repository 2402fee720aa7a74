/*
 * Pools. Kept memories hang in lists, one set of lists for each of some CPUs, so that threads seldom wait for
 * each other; a list is held for a few comparisons. What is in a list is as it was created, with no view but
 * its own.
 */
#include <memfold/pool.h>

#include "live_layout.h"
#include "memory_impl.h"
#include "memory_reuse.h"
#include "os.h"
#include "panic_impl.h"
#include "sharing.h"

#include <stdatomic.h>

#define SHARDS 32
#define CHAINS 8

MF_STATIC_ASSERT(MF_POOL_SMALL_PAGES == SMALL_PAGES_MAX, "what the header says");

#define DEFAULT_MEMORIES 64
#define DEFAULT_RESIDENT_BYTES (UINT64_C(64) << 20)

/* The lists that threads on one CPU use first. */
typedef struct shard {
    atomic_uint lock;
    atomic_uint count;
    mf_memory *chains[CHAINS];   /* by layout and image; the one that came last is first */
    unsigned char distance[120]; /* no cache line of 64 bytes has something of two */
} shard;

struct mf_pool {
    mf_memory_config config; /* of its memories */
    uint32_t max_memories;
    uint64_t max_resident_bytes;
    mf_layout *empty; /* what memories without a layout have */
    atomic_uint memories;
    atomic_ullong resident_bytes;
    mf_pool *next; /* all pools, for fork */
    mf_pool *previous;
    shard shards[SHARDS];
};

/* ---- Locks and forks ----------------------------------------------------------------------- */

static void lock(atomic_uint *locked) {
    for (unsigned attempt = 0; atomic_exchange_explicit(locked, 1, memory_order_acquire) != 0; attempt++)
        os_wait(attempt);
}

static void unlock(atomic_uint *locked) {
    atomic_store_explicit(locked, 0, memory_order_release);
}

static atomic_uint pools_locked;
static mf_pool *pools;

static void lock_all(void) {
    lock(&pools_locked);
    for (mf_pool *pool = pools; pool != NULL; pool = pool->next)
        for (unsigned i = 0; i < SHARDS; i++)
            lock(&pool->shards[i].lock);
}

static void unlock_all(void) {
    for (mf_pool *pool = pools; pool != NULL; pool = pool->next)
        for (unsigned i = 0; i < SHARDS; i++)
            unlock(&pool->shards[i].lock);
    unlock(&pools_locked);
}

OS_AT_LOAD static void foresee_forks(void) {
    static atomic_uint follows_forks;
    if (atomic_exchange(&follows_forks, 1) == 0)
        os_follow_forks(lock_all, unlock_all, unlock_all);
}

static void link_in(mf_pool *pool) {
    foresee_forks(); /* constructors may run before ours */
    lock(&pools_locked);
    pool->next = pools;
    if (pools != NULL)
        pools->previous = pool;
    pools = pool;
    unlock(&pools_locked);
}

static void link_out(mf_pool *pool) {
    lock(&pools_locked);
    if (pool->previous != NULL)
        pool->previous->next = pool->next;
    else
        pools = pool->next;
    if (pool->next != NULL)
        pool->next->previous = pool->previous;
    unlock(&pools_locked);
}

/* ---- Lists --------------------------------------------------------------------------------- */

static unsigned chain_of(const mf_layout *layout, const mf_image *image) {
    uint64_t mixed = (mf_layout_fingerprint(layout) ^ (uintptr_t)image) * UINT64_C(0x9e3779b97f4a7c15);
    return (unsigned)(mixed >> 32) % CHAINS;
}

static bool grants(const mf_memory *memory, const creation *wanted) {
    return memory->image == wanted->image && memory->heap.base == wanted->heap.base &&
           memory->heap.max_pages == wanted->heap.max_pages && memory->start_top == wanted->top &&
           mf_layout_equal(memory->created, wanted->layout) && mf_layout_equal(memory->start, wanted->start);
}

static void count_out(mf_pool *pool, shard *s, const mf_memory *memory) {
    atomic_fetch_sub(&s->count, 1);
    atomic_fetch_sub(&pool->memories, 1);
    atomic_fetch_sub(&pool->resident_bytes, memory->kept_bytes);
}

/* With the lock of its shard held. */
static mf_memory *take_out(mf_pool *pool, shard *s, mf_memory **place) {
    mf_memory *taken = *place;
    *place = taken->next_kept;
    taken->next_kept = NULL;
    count_out(pool, s, taken);
    return taken;
}

static mf_memory *take_exact(mf_pool *pool, shard *s, const creation *wanted) {
    mf_memory *taken = NULL;
    mf_memory **place = &s->chains[chain_of(wanted->layout, wanted->image)];
    lock(&s->lock);
    while (*place != NULL && !grants(*place, wanted))
        place = &(*place)->next_kept;
    if (*place != NULL)
        taken = take_out(pool, s, place);
    unlock(&s->lock);
    return taken;
}

/* The one that has waited longest in the first list that has any. */
static mf_memory *take_any(mf_pool *pool, shard *s) {
    mf_memory *taken = NULL;
    lock(&s->lock);
    for (unsigned chain = 0; taken == NULL && chain < CHAINS; chain++) {
        mf_memory **place = &s->chains[chain];
        while (*place != NULL && (*place)->next_kept != NULL)
            place = &(*place)->next_kept;
        if (*place != NULL)
            taken = take_out(pool, s, place);
    }
    unlock(&s->lock);
    return taken;
}

/* From the lists of this CPU, or else of another. */
static mf_memory *take_kept(mf_pool *pool, const creation *wanted) {
    unsigned cpu = os_cpu();
    for (unsigned i = 0; i < SHARDS; i++) {
        shard *s = &pool->shards[(cpu + i) % SHARDS];
        if (atomic_load_explicit(&s->count, memory_order_relaxed) == 0)
            continue;
        mf_memory *taken = wanted != NULL ? take_exact(pool, s, wanted) : take_any(pool, s);
        if (taken != NULL)
            return taken;
    }
    return NULL;
}

/* Whether there is room for it, which it then has. */
static bool count_in(mf_pool *pool, const mf_memory *memory) {
    uint64_t bytes = memory->kept_bytes;
    bool fits = atomic_fetch_add(&pool->memories, 1) < pool->max_memories;
    if (atomic_fetch_add(&pool->resident_bytes, bytes) + bytes <= pool->max_resident_bytes && fits)
        return true;
    atomic_fetch_sub(&pool->memories, 1);
    atomic_fetch_sub(&pool->resident_bytes, bytes);
    return false;
}

static void put_in(mf_pool *pool, mf_memory *memory) {
    shard *s = &pool->shards[os_cpu() % SHARDS];
    mf_memory **chain = &s->chains[chain_of(memory->created, memory->image)];
    lock(&s->lock);
    memory->next_kept = *chain;
    *chain = memory;
    atomic_fetch_add(&s->count, 1);
    unlock(&s->lock);
}

/* ---- Life ---------------------------------------------------------------------------------- */

mf_status mf_pool_create(const mf_pool_config *config, mf_pool **pool, mf_diag *diag) {
    mf_pool *made = os_allocate(sizeof *made);
    if (made == NULL)
        return memory_exhausted(diag);
    static const mf_pool_config usual = {0};
    config = config != NULL ? config : &usual;
    made->config = config->memory != NULL ? *config->memory : (mf_memory_config){0};
    made->max_memories = config->max_memories != 0 ? config->max_memories : DEFAULT_MEMORIES;
    made->max_resident_bytes =
        config->max_resident_bytes != 0 ? config->max_resident_bytes : DEFAULT_RESIDENT_BYTES;
    made->empty = layout_begin(0);
    if (made->empty == NULL) {
        os_free(made);
        return memory_exhausted(diag);
    }
    layout_seal(made->empty, (mf_heap){0});
    link_in(made);
    *pool = made;
    return MF_OK;
}

void mf_pool_trim(mf_pool *pool) {
    mf_memory *taken;
    while ((taken = take_kept(pool, NULL)) != NULL)
        mf_memory_destroy(taken);
}

void mf_pool_destroy(mf_pool *pool) {
    if (pool == NULL)
        return;
    mf_pool_trim(pool);
    link_out(pool);
    mf_layout_release(pool->empty);
    os_free(pool);
}

mf_pool_kept mf_pool_count(const mf_pool *pool) {
    return (mf_pool_kept){atomic_load(&pool->memories), atomic_load(&pool->resident_bytes)};
}

/* ---- Hand-out and return -------------------------------------------------------------------- */

/* Of another layout or image: a memory that could not be made such a one is gone. */
static mf_memory *take_other(mf_pool *pool, const creation *wanted) {
    mf_memory *taken = take_kept(pool, NULL);
    if (taken == NULL || memory_reuse(taken, wanted))
        return taken;
    mf_memory_destroy(taken);
    return NULL;
}

/* One of what is kept that begins so, or NULL. */
static mf_memory *take_beginning(mf_pool *pool, const creation *wanted) {
    mf_memory *taken = take_kept(pool, wanted);
    return taken != NULL ? taken : take_other(pool, wanted);
}

mf_status mf_pool_take(mf_pool *pool, const mf_layout *layout, const mf_image *image, mf_memory **memory,
                       mf_diag *diag) {
    const creation wanted = creation_of(layout, image, pool->empty);
    mf_memory *taken = take_beginning(pool, &wanted);
    if (taken == NULL)
        return mf_memory_create_with(layout, image, &pool->config, memory, diag);
    *memory = taken;
    return MF_OK;
}

static bool is_alike(const mf_memory_config *a, const mf_memory_config *b) {
    return a->backend == b->backend && a->huge_pages == b->huge_pages && a->empty_range == b->empty_range &&
           a->index == b->index && a->max_bytes == b->max_bytes;
}

/* What cannot be made a clone is gone, and so is what was frozen: its clones share mappings. */
mf_status mf_pool_clone(mf_pool *pool, const mf_memory *memory, mf_memory **clone, mf_diag *diag) {
    const creation wanted = memory_creation(memory);
    bool is_for_pool = is_alike(&memory->config, &pool->config) && !sharing_has_foreign(memory);
    mf_memory *taken = is_for_pool ? take_beginning(pool, &wanted) : NULL;
    if (taken != NULL && !memory_follow(taken, (mf_memory *)memory)) {
        mf_memory_destroy(taken);
        taken = NULL;
    }
    if (taken == NULL)
        return mf_memory_clone(memory, clone, diag);
    *clone = taken;
    return MF_OK;
}

#ifdef NDEBUG
static void check_views(const mf_memory *memory) {
    (void)memory;
}
#else
static void check_views(const mf_memory *memory) {
    if (memory->view.next != NULL)
        panic_values(
            "a memory was given to a pool with a view attached: ", (uint64_t)(uintptr_t)memory->view.next,
            " is a view of the memory at ", (uint64_t)(uintptr_t)memory, "");
}
#endif

void mf_pool_give(mf_pool *pool, mf_memory *memory) {
    if (memory == NULL)
        return;
    check_views(memory);
    bool is_kept = memory->view.next == NULL && is_alike(&memory->config, &pool->config) &&
                   memory_renew(memory) && count_in(pool, memory);
    if (is_kept)
        put_in(pool, memory);
    else
        mf_memory_destroy(memory);
}
