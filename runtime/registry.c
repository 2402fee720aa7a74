#include "registry.h"
#include "os.h"

/* Words, because not every machine can exchange a byte atomically. */
static atomic_uint locked;
static atomic_uint follows_forks;

epoch registry_readers;

/* The child has one thread, which called fork and so is in no fault handler: it has no readers. */
static void restart_in_child(void) {
    epoch_forget_readers(&registry_readers);
    registry_unlock();
}

void registry_lock(void) {
    if (atomic_exchange(&follows_forks, 1) == 0)
        os_follow_forks(registry_lock, registry_unlock, restart_in_child);
    for (unsigned attempt = 0; atomic_exchange_explicit(&locked, 1, memory_order_acquire) != 0; attempt++)
        os_wait(attempt);
}

void registry_unlock(void) {
    atomic_store_explicit(&locked, 0, memory_order_release);
}

/*
 * All readers share one shard: a signal handler cannot ask which thread it is in, and a shared cache line is
 * cheap beside the page fault that brought it here.
 */
epoch_reader registry_enter(void) {
    return epoch_enter(&registry_readers, 0);
}

void registry_leave(epoch_reader self) {
    epoch_leave(self);
}

void registry_drain(void) {
    epoch_drain(&registry_readers, os_wait);
}
