/*
 * Readers are counted in two phases, as in sleepable RCU: a reader enters the phase of the moment, and
 * draining a phase comes after a switch to the other one. So newcomers do not keep a phase from emptying,
 * however many there are.
 */
#include "registry.h"
#include "os.h"

#include <stdatomic.h>

MF_STATIC_ASSERT(ATOMIC_LONG_LOCK_FREE == 2 && ATOMIC_INT_LOCK_FREE == 2 && ATOMIC_POINTER_LOCK_FREE == 2,
                 "a signal handler uses these");

/* Words, because not every machine can exchange a byte atomically. */
static atomic_uint locked;
static atomic_uint follows_forks;
static atomic_uint current_phase;
static atomic_ulong readers[2];

/* The child has one thread, which is not in a fault handler: what others were doing there has ended. */
static void restart_in_child(void) {
    atomic_store(&readers[0], 0);
    atomic_store(&readers[1], 0);
    mf_registry_unlock();
}

void mf_registry_lock(void) {
    if (atomic_exchange(&follows_forks, 1) == 0)
        os_follow_forks(mf_registry_lock, mf_registry_unlock, restart_in_child);
    for (unsigned attempt = 0; atomic_exchange_explicit(&locked, 1, memory_order_acquire) != 0; attempt++)
        os_wait(attempt);
}

void mf_registry_unlock(void) {
    atomic_store_explicit(&locked, 0, memory_order_release);
}

unsigned mf_registry_enter(void) {
    unsigned phase = atomic_load(&current_phase) & 1;
    atomic_fetch_add(&readers[phase], 1);
    return phase;
}

void mf_registry_leave(unsigned phase) {
    atomic_fetch_sub(&readers[phase], 1);
}

/*
 * Everything here is sequentially consistent. A reader that has loaded the old pointer counted itself before
 * the pointer was replaced, and so before this call; whichever phase it is in is seen empty below only after
 * it has left. Both phases are needed, because a reader may count itself in the phase of long ago.
 */
void mf_registry_drain(void) {
    for (int i = 0; i < 2; i++) {
        unsigned phase = atomic_fetch_xor(&current_phase, 1) & 1;
        for (unsigned attempt = 0; atomic_load(&readers[phase]) != 0; attempt++)
            os_wait(attempt);
    }
}
