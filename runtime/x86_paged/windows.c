/*
 * Chains of windows by the 8 GiB of host address space that they begin in, their bucket. A window is hardly
 * larger than that, so an address lies in one that begins in its own bucket or in the one before.
 */
#include "windows.h"
#include "registry.h"

#include <stddef.h>

#define BUCKET_LOG2 33
#define CHAIN_COUNT 1024

MF_STATIC_ASSERT(MF_WINDOW_BYTES <= (UINT64_C(1) << BUCKET_LOG2) + MF_PAGE_SIZE,
                 "a window begins with a page, so it ends in the next bucket at most");

typedef _Atomic(mf_window *) link;

static link chains[CHAIN_COUNT];

static link *chain_of(uintptr_t bucket) {
    return &chains[bucket % CHAIN_COUNT];
}

static bool overlap(const mf_window *a, const mf_window *b) {
    uintptr_t a_last = a->start + (a->bytes - 1);
    uintptr_t b_last = b->start + (b->bytes - 1);
    return a->space == b->space && a->start <= b_last && b->start <= a_last;
}

/* What overlaps a window begins in its bucket or in one beside it. */
static bool overlaps_any(const mf_window *window) {
    uintptr_t bucket = (window->start >> BUCKET_LOG2) - 1;
    for (unsigned i = 0; i < 3; i++) {
        const mf_window *at = atomic_load(chain_of(bucket + i));
        while (at != NULL && !overlap(at, window))
            at = atomic_load(&at->next);
        if (at != NULL)
            return true;
    }
    return false;
}

bool mf_window_add(mf_window *window) {
    link *chain = chain_of(window->start >> BUCKET_LOG2);
    registry_lock();
    bool is_alone = !overlaps_any(window);
    if (is_alone) {
        atomic_store(&window->next, atomic_load(chain));
        atomic_store(chain, window);
    }
    registry_unlock();
    return is_alone;
}

void mf_window_remove(mf_window *window) {
    link *at = chain_of(window->start >> BUCKET_LOG2);
    registry_lock();
    while (atomic_load(at) != window)
        at = &atomic_load(at)->next;
    atomic_store(at, atomic_load(&window->next));
    registry_drain();
    registry_unlock();
}

static bool is_around(const mf_window *window, uintptr_t host_address) {
    return host_address - window->start < window->bytes;
}

typedef bool window_test(const mf_window *window, uint64_t space);

static bool is_any(const mf_window *window, uint64_t space) {
    (void)window;
    (void)space;
    return true;
}

static bool is_users(const mf_window *window, uint64_t space) {
    return window->is_user && window->space == space;
}

static bool bucket_is_around(uintptr_t bucket, uintptr_t host_address, window_test *test, uint64_t space) {
    const mf_window *at = atomic_load(chain_of(bucket));
    while (at != NULL && !(is_around(at, host_address) && test(at, space)))
        at = atomic_load(&at->next);
    return at != NULL;
}

static bool find(uintptr_t host_address, window_test *test, uint64_t space) {
    uintptr_t bucket = host_address >> BUCKET_LOG2;
    epoch_reader self = registry_enter();
    bool found = bucket_is_around(bucket, host_address, test, space) ||
                 bucket_is_around(bucket - 1, host_address, test, space);
    registry_leave(self);
    return found;
}

bool mf_window_is_around(uintptr_t host_address) {
    return find(host_address, is_any, 0);
}

bool mf_window_of_user_is_around(uintptr_t host_address, uint64_t space) {
    return find(host_address, is_users, space);
}

bool mf_window_at_is_around(uintptr_t start, uintptr_t host_address) {
    epoch_reader self = registry_enter();
    const mf_window *at = atomic_load(chain_of(start >> BUCKET_LOG2));
    while (at != NULL && !(at->start == start && is_around(at, host_address)))
        at = atomic_load(&at->next);
    registry_leave(self);
    return at != NULL;
}
