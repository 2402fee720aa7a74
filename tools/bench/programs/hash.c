/*
 * A hash table of 64-bit keys with linear probing: every key of a stream is counted, others are looked up in
 * vain, and every third is removed again. A slot is a key (0: free) and a count. Each round has other keys,
 * so that the CPU cannot learn them by heart.
 */
#include "program.h"

enum { KEYS = 4000, ROUNDS = 8, SLOTS = 4096, SLOT_BYTES = 16, KEY = 0, COUNT = 8 };

static uint32_t home_of(uint64_t key) {
    return (uint32_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 52);
}

/* The slot of the key, or the free one where it would go. */
static uint32_t find(guest g, place table, uint64_t key) {
    uint32_t slot = home_of(key);
    for (;; slot = (slot + 1) % SLOTS) {
        uint64_t found = load_u64(g, table + slot * SLOT_BYTES, KEY);
        if (found == key || found == 0)
            return slot;
    }
}

/* Later keys of the same run move up, unless that would bring one before its home. */
static void take_out(guest g, place table, uint32_t slot) {
    for (uint32_t next = (slot + 1) % SLOTS;; next = (next + 1) % SLOTS) {
        uint64_t key = load_u64(g, table + next * SLOT_BYTES, KEY);
        if (key == 0)
            break;
        if ((next - home_of(key)) % SLOTS < (next - slot) % SLOTS)
            continue;
        store_u64(g, table + slot * SLOT_BYTES, KEY, key);
        store_u64(g, table + slot * SLOT_BYTES, COUNT, load_u64(g, table + next * SLOT_BYTES, COUNT));
        slot = next;
    }
    store_u64(g, table + slot * SLOT_BYTES, KEY, 0);
}

static void clear(guest g, place table) {
    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        store_u64(g, table + slot * SLOT_BYTES, KEY, 0);
        store_u64(g, table + slot * SLOT_BYTES, COUNT, 0);
    }
}

/* Odd factors make different keys of different ones, and none is 0. */
static uint64_t key_at(guest g, place keys, int i, uint64_t factor) {
    return get_u64(g, keys, i) * factor;
}

static uint64_t do_round(guest g, place keys, place table, uint64_t factor) {
    uint64_t missed = 0;
    clear(g, table);
    for (int i = 0; i < KEYS; i++) {
        uint64_t key = key_at(g, keys, i, factor);
        place slot = table + find(g, table, key) * SLOT_BYTES;
        bool known = load_u64(g, slot, KEY) == key;
        store_u64(g, slot, KEY, key);
        store_u64(g, slot, COUNT, known ? load_u64(g, slot, COUNT) + 1 : 1);
    }
    for (int i = 0; i < KEYS; i++)
        missed += load_u64(g, table + find(g, table, key_at(g, keys, i, factor) + 1) * SLOT_BYTES, KEY) == 0;
    for (int i = 0; i < KEYS; i += 3) {
        uint64_t key = key_at(g, keys, i, factor);
        uint32_t slot = find(g, table, key);
        if (load_u64(g, table + slot * SLOT_BYTES, KEY) == key)
            take_out(g, table, slot);
    }
    return missed;
}

static uint64_t run(guest g, const program_work *work) {
    place keys = program_place(g, work, 0);
    place table = program_place(g, work, 1);
    uint64_t missed = 0;
    for (uint64_t round = 0; round < ROUNDS; round++)
        missed = missed * 31 + do_round(g, keys, table, 2 * round + 1);
    return missed;
}

/* About 2500 different keys, so that the table is at most two thirds full. */
static void fill(unsigned char *const *arrays) {
    uint64_t random = 6;
    uint64_t *keys = (uint64_t *)(void *)arrays[0];
    for (int i = 0; i < KEYS; i++)
        keys[i] = (1 + program_random(&random) % 3400) * UINT64_C(0x123456789ab);
}

PROGRAM(hash, "hash table, 64-bit keys", PROGRAM_READ_ONLY(KEYS * 8), PROGRAM_WRITABLE(SLOTS *SLOT_BYTES))
