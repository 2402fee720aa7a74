/*
 * A hash table. The bucket of a reservation is the 8 GiB of host addresses that it begins in; buckets are
 * hashed to chains. A reservation is one page longer than a bucket, so it ends in its own bucket or in the
 * next one, and an address lies in a reservation that begins in the address's bucket or in the one before.
 *
 * Fault handlers read the chains as registry.h says. So the links of the chains are copies of what their
 * owners have, and one that is taken out is kept for the next reservation.
 */
#include "x86_paged/reservations.h"
#include "os.h"
#include "registry.h"

#include <stddef.h>

#define BUCKET_LOG2 33
#define CHAIN_COUNT 4096

MF_STATIC_ASSERT(RESERVATION_BYTES <= (UINT64_C(1) << BUCKET_LOG2) + MF_PAGE_SIZE,
                 "a reservation begins with a page, so it ends in the next bucket at most");

typedef struct link {
    _Atomic(uintptr_t) start;
    _Atomic(uint64_t) bytes;
    _Atomic(uint64_t) space;
    _Atomic(uint32_t) is_user;
    _Atomic(const unsigned char *) perms;
    _Atomic(struct link *) next;
} link;

typedef _Atomic(link *) chain;

static chain chains[CHAIN_COUNT];

/* Under the lock: links that are not in use, and how many of the first ones have been. */
static link *unused;
static link first_links[64];
static size_t first_links_used;

static chain *chain_of(uintptr_t bucket) {
    return &chains[bucket % CHAIN_COUNT];
}

static reservation content_of(const link *l) {
    return (reservation){
        .start = atomic_load(&l->start),
        .bytes = atomic_load(&l->bytes),
        .space = atomic_load(&l->space),
        .is_user = atomic_load(&l->is_user) != 0,
        .perms = atomic_load(&l->perms),
    };
}

/* ---- Changing, under the lock -------------------------------------------------------------- */

static bool overlap(reservation a, const reservation *b) {
    uintptr_t a_last = a.start + (a.bytes - 1);
    uintptr_t b_last = b->start + (b->bytes - 1);
    return a.space == b->space && a.start <= b_last && b->start <= a_last;
}

/* What overlaps a reservation begins in its bucket or in one beside it. */
static bool overlaps_any(const reservation *r) {
    uintptr_t bucket = (r->start >> BUCKET_LOG2) - 1;
    for (unsigned i = 0; i < 3; i++) {
        const link *at = atomic_load(chain_of(bucket + i));
        while (at != NULL && !overlap(content_of(at), r))
            at = atomic_load(&at->next);
        if (at != NULL)
            return true;
    }
    return false;
}

static link *take_link(void) {
    if (unused != NULL) {
        link *taken = unused;
        unused = atomic_load(&taken->next);
        return taken;
    }
    if (first_links_used < sizeof first_links / sizeof first_links[0])
        return &first_links[first_links_used++];
    return os_allocate(sizeof(link));
}

static bool put_in(const reservation *r) {
    chain *head = chain_of(r->start >> BUCKET_LOG2);
    registry_change();
    link *l = take_link();
    if (l == NULL)
        return false;
    atomic_store(&l->start, r->start);
    atomic_store(&l->bytes, r->bytes);
    atomic_store(&l->space, r->space);
    atomic_store(&l->is_user, r->is_user);
    atomic_store(&l->perms, r->perms);
    atomic_store(&l->next, atomic_load(head));
    atomic_store(head, l);
    return true;
}

bool reservation_overlaps(const reservation *r) {
    registry_lock();
    bool overlaps = overlaps_any(r);
    registry_unlock();
    return overlaps;
}

bool reservation_add(const reservation *r) {
    registry_lock();
    bool done = !overlaps_any(r) && put_in(r);
    registry_unlock();
    return done;
}

/* In one space there is one reservation that begins there. The link's own next is overwritten in a change of
 * its own, because readers may stand on it. */
void reservation_remove(const reservation *r) {
    chain *at = chain_of(r->start >> BUCKET_LOG2);
    registry_lock();
    link *l = atomic_load(at);
    while (atomic_load(&l->start) != r->start || atomic_load(&l->space) != r->space) {
        at = &l->next;
        l = atomic_load(at);
    }
    atomic_store(at, atomic_load(&l->next));
    registry_change();
    atomic_store(&l->next, unused);
    unused = l;
    registry_unlock();
}

/* ---- Reading ------------------------------------------------------------------------------- */

static bool contains(reservation r, uintptr_t host_address) {
    return host_address - r.start < r.bytes;
}

/* What is looked for: a reservation that contains the address and is of a kind. */
typedef struct question {
    uintptr_t host_address;
    uintptr_t start; /* where it begins, if that is asked for */
    uint64_t space;  /* whose user's it is, if that is asked for */
} question;

typedef bool reservation_test(reservation r, const question *q);

static bool is_any(reservation r, const question *q) {
    (void)r;
    (void)q;
    return true;
}

static bool is_of_user(reservation r, const question *q) {
    return r.is_user && r.space == q->space;
}

static bool begins_there(reservation r, const question *q) {
    return r.start == q->start;
}

static bool find_in_bucket(uintptr_t bucket, const question *q, reservation_test *test, reservation *found) {
    for (const link *at = atomic_load(chain_of(bucket)); at != NULL; at = atomic_load(&at->next)) {
        *found = content_of(at);
        if (contains(*found, q->host_address) && test(*found, q))
            return true;
    }
    return false;
}

/* In the bucket of the address or in the one before. */
static bool find(const question *q, reservation_test *test, reservation *found) {
    uintptr_t bucket = q->host_address >> BUCKET_LOG2;
    unsigned long version;
    bool is_there;
    do {
        version = registry_version();
        is_there = find_in_bucket(bucket, q, test, found) || find_in_bucket(bucket - 1, q, test, found);
    } while (registry_has_changed(version));
    return is_there;
}

bool reservation_find(uintptr_t host_address, reservation *found) {
    return find(&(question){.host_address = host_address}, is_any, found);
}

bool reservation_contains(uintptr_t host_address) {
    reservation unused_one;
    return reservation_find(host_address, &unused_one);
}

bool reservation_of_user_contains(uintptr_t host_address, uint64_t space) {
    reservation unused_one;
    return find(&(question){.host_address = host_address, .space = space}, is_of_user, &unused_one);
}

bool reservation_at_contains(uintptr_t start, uintptr_t host_address) {
    reservation unused_one;
    return find(&(question){.host_address = host_address, .start = start}, begins_there, &unused_one);
}
