#include "jit/arena_blocks.h"

#include <stdlib.h>

/* ---- Records ---- */

enum { RECORDS_OF_SLAB = 64 };

typedef struct block_slab {
    struct block_slab *next;
    block records[RECORDS_OF_SLAB];
} block_slab;

static void record_give(block_records *records, block *unused) {
    unused->list_next = records->unused;
    records->unused = unused;
}

bool block_records_foresee(block_records *records) {
    if (records->unused != NULL)
        return true;
    block_slab *slab = calloc(1, sizeof *slab);
    if (slab == NULL)
        return false;
    slab->next = records->slabs;
    records->slabs = slab;
    for (size_t i = 0; i < RECORDS_OF_SLAB; i++)
        record_give(records, &slab->records[i]);
    return true;
}

void block_records_fini(block_records *records) {
    while (records->slabs != NULL) {
        block_slab *slab = records->slabs;
        records->slabs = slab->next;
        free(slab);
    }
    records->unused = NULL;
}

static block *record_take(block_records *records) {
    block *taken = records->unused;
    records->unused = taken->list_next;
    *taken = (block){0};
    return taken;
}

/* ---- Lists ---- */

typedef struct place {
    unsigned level;
    unsigned list;
} place;

static unsigned log2_of(uint32_t units) {
    return 31u - (unsigned)__builtin_clz(units);
}

/*
 * Where blocks of this size are. Below 8 units each size has a list of its own, in level 0. From there on
 * level l is for 2^(l+2) <= units < 2^(l+3), and the three bits after the first are the list.
 */
static place place_of(uint32_t units) {
    if (units < BLOCK_LISTS)
        return (place){0, units};
    unsigned log2 = log2_of(units);
    return (place){log2 - 2, (units >> (log2 - 3)) & (BLOCK_LISTS - 1)};
}

static void insert(blocks *all, block *b) {
    place at = place_of(b->units);
    block **list = &all->free[at.level][at.list];
    b->state = BLOCK_FREE;
    b->list_previous = NULL;
    b->list_next = *list;
    if (*list != NULL)
        (*list)->list_previous = b;
    *list = b;
    all->levels |= UINT32_C(1) << at.level;
    all->lists[at.level] = (uint8_t)(all->lists[at.level] | 1u << at.list);
}

void blocks_remove(blocks *all, block *b) {
    place at = place_of(b->units);
    if (b->list_next != NULL)
        b->list_next->list_previous = b->list_previous;
    if (b->list_previous != NULL)
        b->list_previous->list_next = b->list_next;
    else
        all->free[at.level][at.list] = b->list_next;
    if (all->free[at.level][at.list] == NULL)
        all->lists[at.level] = (uint8_t)(all->lists[at.level] & ~(1u << at.list));
    if (all->lists[at.level] == 0)
        all->levels &= ~(UINT32_C(1) << at.level);
}

/*
 * Every block of a list fits if the size that the list begins with does: so the search begins at the list of
 * the size rounded up to such a beginning. The first block of the list before may fit as well, and does where
 * sizes recur.
 */
static block *find(const blocks *all, uint32_t units) {
    place at = place_of(units);
    block *first = all->free[at.level][at.list];
    if (first != NULL && first->units >= units)
        return first;
    if (units >= BLOCK_LISTS)
        at = place_of(units + (UINT32_C(1) << (log2_of(units) - 3)) - 1);
    unsigned lists = all->lists[at.level] & (~0u << at.list);
    if (lists == 0) {
        uint32_t levels = all->levels & (uint32_t)(~UINT64_C(0) << (at.level + 1));
        if (levels == 0)
            return NULL;
        at.level = (unsigned)__builtin_ctz(levels);
        lists = all->lists[at.level];
    }
    return all->free[at.level][__builtin_ctz(lists)];
}

/* ---- Blocks ---- */

block *blocks_add(blocks *all, block_records *records, void *chunk, uint32_t units) {
    block *whole = record_take(records);
    whole->chunk = chunk;
    whole->units = units;
    insert(all, whole);
    return whole;
}

/* What lies behind the first `units` is a free block of its own. */
static void split(blocks *all, block_records *records, block *b, uint32_t units) {
    block *rest = record_take(records);
    rest->chunk = b->chunk;
    rest->start = b->start + units;
    rest->units = b->units - units;
    rest->previous = b;
    rest->next = b->next;
    if (rest->next != NULL)
        rest->next->previous = rest;
    b->next = rest;
    b->units = units;
    insert(all, rest);
}

block *blocks_take(blocks *all, block_records *records, uint32_t units) {
    block *found = find(all, units);
    if (found == NULL)
        return NULL;
    blocks_remove(all, found);
    if (found->units > units)
        split(all, records, found, units);
    found->state = BLOCK_TAKEN;
    return found;
}

/* `b` and the block behind it are one; neither is in a list. */
static void merge(block_records *records, block *b) {
    block *behind = b->next;
    b->units += behind->units;
    b->next = behind->next;
    if (b->next != NULL)
        b->next->previous = b;
    record_give(records, behind);
}

block *blocks_give(blocks *all, block_records *records, block *given) {
    block *whole = given;
    if (whole->next != NULL && whole->next->state == BLOCK_FREE) {
        blocks_remove(all, whole->next);
        merge(records, whole);
    }
    if (whole->previous != NULL && whole->previous->state == BLOCK_FREE) {
        whole = whole->previous;
        blocks_remove(all, whole);
        merge(records, whole);
    }
    insert(all, whole);
    return whole;
}

void blocks_forget(block_records *records, block *first) {
    while (first != NULL) {
        block *next = first->next;
        record_give(records, first);
        first = next;
    }
}
