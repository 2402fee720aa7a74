/*
 * One slot per 8 GiB of host address space. A window is larger than that, so at most one begins in each, and
 * an address lies in a window that begins in its own bucket or in the one before.
 */
#include "windows.h"

#include <stdatomic.h>
#include <stddef.h>

#define BUCKET_LOG2 33
#define HOST_SPACE_LOG2 47
#define BUCKET_COUNT ((size_t)1 << (HOST_SPACE_LOG2 - BUCKET_LOG2))

MF_STATIC_ASSERT(MF_WINDOW_BYTES > UINT64_C(1) << BUCKET_LOG2, "two windows never begin in one bucket");
MF_STATIC_ASSERT(MF_WINDOW_BYTES <= UINT64_C(2) << BUCKET_LOG2, "a window ends in the next bucket at most");

/* Zero: no window begins here. */
static _Atomic(uintptr_t) bases[BUCKET_COUNT];

static size_t bucket_of(uintptr_t host_address) {
    return (size_t)(host_address >> BUCKET_LOG2);
}

bool mf_window_add(const unsigned char *base) {
    uintptr_t start = (uintptr_t)base;
    if (bucket_of(start) >= BUCKET_COUNT) {
        return false;
    }
    atomic_store(&bases[bucket_of(start)], start);
    return true;
}

void mf_window_remove(const unsigned char *base) {
    atomic_store(&bases[bucket_of((uintptr_t)base)], 0);
}

static const unsigned char *find_in(size_t bucket, uintptr_t host_address) {
    uintptr_t start = bucket < BUCKET_COUNT ? atomic_load(&bases[bucket]) : 0;
    return start != 0 && host_address - start < MF_WINDOW_BYTES ? (const unsigned char *)start : NULL;
}

const unsigned char *mf_window_find(uintptr_t host_address) {
    size_t bucket = bucket_of(host_address);
    const unsigned char *base = find_in(bucket, host_address);
    return base != NULL || bucket == 0 ? base : find_in(bucket - 1, host_address);
}
