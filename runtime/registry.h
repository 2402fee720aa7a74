/*
 * What the whole process shares, such as the exception tables: how to change it while others read it.
 *
 * Those who change it take one lock. Those who read it are fault handlers, which can neither lock nor wait,
 * and which may be left by a jump in the middle of a read: so they write nothing and nobody waits for them. A
 * reader asks for the version before it reads and again behind it; if it is another one, what it has read
 * may be nonsense and it reads again. What readers follow pointers to is never given back to the host but
 * kept for the next use of its kind, and all of it is atomic, so nonsense is all that can happen.
 *
 *     unsigned long version;                     registry_lock();
 *     do {                                       registry_change();
 *         version = registry_version();          overwrite what has been unlinked before, publish, unlink
 *         read                                   registry_unlock();
 *     } while (registry_has_changed(version));
 *
 * What is unlinked in one change is overwritten in a later one at the earliest. So a reader that interrupts a
 * change, in whatever thread, finds what was there before it or what is there after it, and comes to an end.
 */
#ifndef MEMFOLD_RUNTIME_REGISTRY_H
#define MEMFOLD_RUNTIME_REGISTRY_H

#include <memfold/abi.h>

#include <stdatomic.h>
#include <stdbool.h>

MF_STATIC_ASSERT(ATOMIC_LONG_LOCK_FREE == 2 && ATOMIC_INT_LOCK_FREE == 2 && ATOMIC_POINTER_LOCK_FREE == 2,
                 "signal handlers are readers");

/*
 * Not in a signal handler. Signals are blocked while the lock is held, so that no handler that forks finds it
 * held by its own thread. A child of fork finds it free.
 */
void registry_lock(void);
void registry_unlock(void);

/* With the lock held, before anything is overwritten that an earlier change has unlinked. */
void registry_change(void);

/* Around a read, and for no longer than it takes; async-signal-safe. */
unsigned long registry_version(void);
bool registry_has_changed(unsigned long version);

#endif
