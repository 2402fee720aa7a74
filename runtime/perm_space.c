/*
 * Slabs of 64 tables in one reservation, committed table by table from its start, so that a slab is two
 * mappings at most. Tables are taken from the slab that had room last. A slab without tables goes back to the
 * host.
 */
#include "perm_space.h"
#include "os.h"
#include "registry.h"

#include <memfold/abi.h>

/* A multiple of the page size of every Linux host. */
#define UNIT_BYTES (UINT64_C(1) << 16)

#define TABLES 64
#define TABLE_BYTES ((MF_PERM_TABLE_PAGES + UNIT_BYTES - 1) / UNIT_BYTES * UNIT_BYTES)

/* Whole huge pages, so that the windows that come before and behind it touch each other. */
#define SLAB_BYTES ((TABLES * TABLE_BYTES + OS_HUGE_PAGE_BYTES - 1) / OS_HUGE_PAGE_BYTES * OS_HUGE_PAGE_BYTES)

#define EVERY_TABLE UINT64_MAX

typedef struct slab {
    unsigned char *bytes;
    uint64_t free;      /* bit n: table n is not in use */
    unsigned committed; /* so many of the first tables have been in use */
    struct slab *next;  /* both of `with_room`, while some bit of `free` is 1 */
    struct slab *previous;
} slab;

MF_STATIC_ASSERT(TABLES == 64, "a bit for each");

/* Under the registry's lock. */
static slab *with_room;

static void link_in(slab *s) {
    s->next = with_room;
    s->previous = NULL;
    if (with_room != NULL)
        with_room->previous = s;
    with_room = s;
}

static void link_out(slab *s) {
    if (s->previous != NULL)
        s->previous->next = s->next;
    else
        with_room = s->next;
    if (s->next != NULL)
        s->next->previous = s->previous;
}

static slab *slab_create(void) {
    slab *made = os_allocate(sizeof *made);
    if (made == NULL)
        return NULL;
    made->bytes = os_reserve(SLAB_BYTES, 0);
    if (made->bytes == NULL) {
        os_free(made);
        return NULL;
    }
    made->free = EVERY_TABLE;
    link_in(made);
    return made;
}

static void destroy_if_empty(slab *s) {
    if (s->free != EVERY_TABLE)
        return;
    link_out(s);
    os_release(s->bytes, SLAB_BYTES);
    os_free(s);
}

/* The lowest one, so that those that have been in use come first. */
static bool take_of(slab *s, perm_space *space) {
    unsigned table = (unsigned)__builtin_ctzll(s->free);
    unsigned char *bytes = s->bytes + table * TABLE_BYTES;
    if (table == s->committed && !os_commit(bytes, TABLE_BYTES))
        return false;
    s->committed += table == s->committed;
    s->free &= s->free - 1;
    if (s->free == 0)
        link_out(s);
    *space = (perm_space){bytes, s};
    return true;
}

bool perm_space_take(perm_space *space) {
    registry_lock();
    slab *s = with_room != NULL ? with_room : slab_create();
    bool done = s != NULL && take_of(s, space);
    if (s != NULL && !done)
        destroy_if_empty(s);
    registry_unlock();
    return done;
}

void perm_space_give(perm_space space) {
    slab *s = space.slab;
    if (s == NULL)
        return;
    registry_lock();
    if (s->free == 0)
        link_in(s);
    s->free |= UINT64_C(1) << (uint64_t)(space.bytes - s->bytes) / TABLE_BYTES;
    destroy_if_empty(s);
    registry_unlock();
}
