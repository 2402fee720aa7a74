#include "jit/cache.h"

#include <sched.h>
#include <stdlib.h>

/*
 * Open addressing with linear probing. A slot is NULL, a code, or REMOVED (a tombstone), and never goes back
 * to NULL: so a probe that has passed it still finds what lies behind. A table that is half full, tombstones
 * counted, is replaced. What readers without a lock load is sequentially consistent, as epoch_drain needs it.
 */
struct cache_table {
    size_t mask; /* slots - 1 */
    size_t used; /* slots that are not NULL */
    _Atomic(mf_code *) slots[];
};

#define SMALLEST_TABLE 64

static mf_code removed;
#define REMOVED (&removed)

/* Odd, so that multiplying loses nothing: what differs in any bit differs in the upper half. */
#define SPREAD UINT64_C(0x9E3779B97F4A7C15)

/*
 * The layout's fingerprint is a hash already. Added to it are the options that clients mix for one layout,
 * and the two of which they use thousands: the base of each memory, a multiple of 4096, and the hot address.
 * Of the product the upper half is taken, since the lower bits of multiples of 2^n stay 0.
 */
static size_t key_hash(const mf_layout *layout, const mf_accessor_options *options) {
    uint64_t variant = (uint64_t)options->backend | (uint64_t)options->on_fault << 1 |
                       (uint64_t)options->index << 2 | (uint64_t)options->base << 3;
    uint64_t hot = (uint64_t)options->hot_address << 7 | options->hot_percent;
    uint64_t numbers = options->base_address * SPREAD ^ hot * SPREAD;
    return (size_t)(mf_layout_fingerprint(layout) + variant * SPREAD + (numbers >> 32));
}

static bool has_key(const mf_code *code, const mf_layout *layout, const mf_accessor_options *options) {
    return code != REMOVED && mf_layout_equal(code->layout, layout) &&
           mf_accessor_options_equal(&code->options, options);
}

mf_code *cache_lookup(cache *c, const mf_layout *layout, const mf_accessor_options *options) {
    cache_table *table = atomic_load(&c->table);
    if (table == NULL)
        return NULL;
    for (size_t i = key_hash(layout, options);; i++) {
        mf_code *code = atomic_load(&table->slots[i & table->mask]);
        if (code == NULL || has_key(code, layout, options))
            return code;
    }
}

bool cache_retain(mf_code *code) {
    size_t references = atomic_load_explicit(&code->references, memory_order_relaxed);
    while (references != 0)
        if (atomic_compare_exchange_weak_explicit(&code->references, &references, references + 1,
                                                  memory_order_acquire, memory_order_relaxed))
            return true;
    return false;
}

/* Threads take the shards in turn. */
static unsigned shard_of_thread(void) {
    static atomic_uint next;
    static _Thread_local unsigned mine; /* 0: none yet */
    if (mine == 0)
        mine = 1 + atomic_fetch_add_explicit(&next, 1, memory_order_relaxed) % EPOCH_SHARDS;
    return mine - 1;
}

mf_code *cache_retain_ready(cache *c, const mf_layout *layout, const mf_accessor_options *options) {
    epoch_reader self = epoch_enter(&c->readers, shard_of_thread());
    mf_code *code = cache_lookup(c, layout, options);
    if (code != NULL &&
        (atomic_load_explicit(&code->state, memory_order_acquire) != CODE_READY || !cache_retain(code)))
        code = NULL;
    epoch_leave(self);
    return code;
}

/* ---- Changes, under the lock ---- */

static void let_readers_run(unsigned attempt) {
    (void)attempt;
    sched_yield();
}

static void drain(cache *c) {
    epoch_drain(&c->readers, let_readers_run);
}

static void table_insert(cache_table *table, mf_code *code) {
    size_t i = key_hash(code->layout, &code->options);
    while (atomic_load_explicit(&table->slots[i & table->mask], memory_order_relaxed) != NULL)
        i++;
    atomic_store(&table->slots[i & table->mask], code);
    table->used++;
}

static cache_table *table_create(size_t slots) {
    cache_table *table = calloc(1, sizeof *table + slots * sizeof table->slots[0]);
    if (table != NULL)
        table->mask = slots - 1;
    return table;
}

/* A new table for the codes there are, a quarter full at most; the old one goes when nobody reads it. */
static bool replace_table(cache *c) {
    cache_table *old = atomic_load(&c->table);
    size_t slots = SMALLEST_TABLE;
    while (slots / 4 < c->count + 1)
        slots *= 2;
    cache_table *table = table_create(slots);
    if (table == NULL)
        return false;
    for (size_t i = 0; old != NULL && i <= old->mask; i++) {
        mf_code *code = atomic_load_explicit(&old->slots[i], memory_order_relaxed);
        if (code != NULL && code != REMOVED)
            table_insert(table, code);
    }
    atomic_store(&c->table, table);
    if (old != NULL)
        drain(c);
    free(old);
    return true;
}

bool cache_insert(cache *c, mf_code *code) {
    cache_table *table = atomic_load(&c->table);
    bool is_full = table == NULL || 2 * (table->used + 1) > table->mask + 1;
    if (is_full && !replace_table(c))
        return false;
    table_insert(atomic_load(&c->table), code);
    c->count++;
    return true;
}

void cache_remove(cache *c, mf_code *code) {
    cache_table *table = atomic_load(&c->table);
    for (size_t i = key_hash(code->layout, &code->options);; i++) {
        _Atomic(mf_code *) *slot = &table->slots[i & table->mask];
        mf_code *found = atomic_load_explicit(slot, memory_order_relaxed);
        if (found == NULL)
            return;
        if (found == code) {
            atomic_store(slot, REMOVED);
            c->count--;
            drain(c);
            return;
        }
    }
}

void cache_fini(cache *c) {
    free(atomic_load(&c->table));
}
