/*
 * What the whole process shares, such as the exception tables: how to change it while others read it.
 *
 * Those who change it take one lock. Those who read it are signal handlers and can neither lock nor wait, so
 * they announce themselves, load a pointer to something immutable, use it, and say that they are done. Who
 * has replaced the pointer drains before reusing what it pointed to.
 */
#ifndef MEMFOLD_RUNTIME_REGISTRY_H
#define MEMFOLD_RUNTIME_REGISTRY_H

/* Not in a signal handler. A child of fork finds the lock free and no readers. */
void mf_registry_lock(void);
void mf_registry_unlock(void);

/* Around a read; async-signal-safe. `leave` takes what `enter` gave. */
unsigned mf_registry_enter(void);
void mf_registry_leave(unsigned phase);

/* With the lock held: returns when every reader that entered before the call has left. */
void mf_registry_drain(void);

#endif
