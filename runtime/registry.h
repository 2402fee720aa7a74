/*
 * What the whole process shares, such as the exception tables: how to change it while others read it.
 *
 * Those who change it take one lock. Those who read it are fault handlers, which can neither lock nor wait:
 * they are the readers of an epoch, and whoever has replaced what they read drains before reusing it.
 */
#ifndef MEMFOLD_RUNTIME_REGISTRY_H
#define MEMFOLD_RUNTIME_REGISTRY_H

#include "epoch.h"

/* Not in a signal handler. A child of fork finds the lock free and no readers. */
void registry_lock(void);
void registry_unlock(void);

/* Around a read; async-signal-safe. `leave` takes what `enter` gave. */
epoch_reader registry_enter(void);
void registry_leave(epoch_reader self);

/* With the lock held: returns when every reader that entered before the call has left. */
void registry_drain(void);

/* The readers themselves, for tests that place one where no timing would. */
extern epoch registry_readers;

#endif
