/*
 * A hash table. The bucket of a reservation is the 8 GiB of host addresses that it begins in; buckets are
 * hashed to chains. A reservation is one page longer than a bucket, so it ends in its own bucket or in the
 * next one, and an address lies in a reservation that begins in the address's bucket or in the one before.
 *
 * Fault handlers read the chains without a lock, inside the registry. Adding links a reservation that is
 * complete; removing unlinks it and then drains the readers, so that its owner may free it.
 */
#include "x86_paged/reservations.h"
#include "registry.h"

#include <stddef.h>

#define BUCKET_LOG2 33
#define CHAIN_COUNT 1024

MF_STATIC_ASSERT(RESERVATION_BYTES <= (UINT64_C(1) << BUCKET_LOG2) + MF_PAGE_SIZE,
                 "a reservation begins with a page, so it ends in the next bucket at most");

typedef _Atomic(reservation *) link;

static link chains[CHAIN_COUNT];

static link *chain_of(uintptr_t bucket) {
    return &chains[bucket % CHAIN_COUNT];
}

static bool overlap(const reservation *a, const reservation *b) {
    uintptr_t a_last = a->start + (a->bytes - 1);
    uintptr_t b_last = b->start + (b->bytes - 1);
    return a->space == b->space && a->start <= b_last && b->start <= a_last;
}

/* What overlaps a reservation begins in its bucket or in one beside it. */
static bool overlaps_any(const reservation *r) {
    uintptr_t bucket = (r->start >> BUCKET_LOG2) - 1;
    for (unsigned i = 0; i < 3; i++) {
        const reservation *at = atomic_load(chain_of(bucket + i));
        while (at != NULL && !overlap(at, r))
            at = atomic_load(&at->next);
        if (at != NULL)
            return true;
    }
    return false;
}

bool reservation_add(reservation *r) {
    link *chain = chain_of(r->start >> BUCKET_LOG2);
    registry_lock();
    bool is_alone = !overlaps_any(r);
    if (is_alone) {
        atomic_store(&r->next, atomic_load(chain));
        atomic_store(chain, r);
    }
    registry_unlock();
    return is_alone;
}

void reservation_remove(reservation *r) {
    link *at = chain_of(r->start >> BUCKET_LOG2);
    registry_lock();
    while (atomic_load(at) != r)
        at = &atomic_load(at)->next;
    atomic_store(at, atomic_load(&r->next));
    registry_drain();
    registry_unlock();
}

static bool contains(const reservation *r, uintptr_t host_address) {
    return host_address - r->start < r->bytes;
}

typedef bool reservation_test(const reservation *r, uint64_t space);

static bool is_any(const reservation *r, uint64_t space) {
    (void)r;
    (void)space;
    return true;
}

static bool is_of_user(const reservation *r, uint64_t space) {
    return r->is_user && r->space == space;
}

static bool bucket_contains(uintptr_t bucket, uintptr_t host_address, reservation_test *test,
                            uint64_t space) {
    const reservation *at = atomic_load(chain_of(bucket));
    while (at != NULL && !(contains(at, host_address) && test(at, space)))
        at = atomic_load(&at->next);
    return at != NULL;
}

static bool find(uintptr_t host_address, reservation_test *test, uint64_t space) {
    uintptr_t bucket = host_address >> BUCKET_LOG2;
    epoch_reader self = registry_enter();
    bool found = bucket_contains(bucket, host_address, test, space) ||
                 bucket_contains(bucket - 1, host_address, test, space);
    registry_leave(self);
    return found;
}

bool reservation_contains(uintptr_t host_address) {
    return find(host_address, is_any, 0);
}

bool reservation_of_user_contains(uintptr_t host_address, uint64_t space) {
    return find(host_address, is_of_user, space);
}

bool reservation_at_contains(uintptr_t start, uintptr_t host_address) {
    epoch_reader self = registry_enter();
    const reservation *at = atomic_load(chain_of(start >> BUCKET_LOG2));
    while (at != NULL && !(at->start == start && contains(at, host_address)))
        at = atomic_load(&at->next);
    registry_leave(self);
    return at != NULL;
}
