#include "registry.h"
#include "os.h"

/* Words, because not every machine can exchange a byte atomically. */
static atomic_uint locked;
static atomic_uint follows_forks;
static atomic_ulong current_version;

/* Under the lock: the signals that were blocked before. */
static uint64_t blocked_before;

/*
 * Emitted objects register their tables before any constructor runs, so forks are followed from here, too.
 * The signals are blocked first: os_follow_forks takes a lock of the host that fork takes too.
 */
void registry_lock(void) {
    uint64_t blocked = os_block_signals();
    if (atomic_exchange(&follows_forks, 1) == 0)
        os_follow_forks(registry_lock, registry_unlock, registry_unlock);
    for (unsigned attempt = 0; atomic_exchange_explicit(&locked, 1, memory_order_acquire) != 0; attempt++)
        os_wait(attempt);
    blocked_before = blocked;
}

void registry_unlock(void) {
    uint64_t blocked = blocked_before;
    atomic_store_explicit(&locked, 0, memory_order_release);
    os_unblock_signals(blocked);
}

OS_AT_LOAD static void foresee_forks(void) {
    registry_lock();
    registry_unlock();
}

/*
 * Everything here and in what readers read is acquire and release at least: a reader that has seen a byte of
 * a change has seen the version that was counted before it.
 */
void registry_change(void) {
    atomic_fetch_add(&current_version, 1);
}

unsigned long registry_version(void) {
    return atomic_load(&current_version);
}

bool registry_has_changed(unsigned long version) {
    return atomic_load(&current_version) != version;
}
