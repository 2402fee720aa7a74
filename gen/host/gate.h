/*
 * Around what is done under locks: a fork waits until no thread is in there, so that the child finds every
 * lock free and everything whole.
 */
#ifndef MEMFOLD_GEN_HOST_GATE_H
#define MEMFOLD_GEN_HOST_GATE_H

#include <pthread.h>

/* In static storage. */
typedef struct gate {
    pthread_mutex_t lock; /* held for moments, and not while the process forks */
    pthread_cond_t changed;
    unsigned inside;  /* threads */
    unsigned forking; /* threads that wait for the others to leave; nobody enters meanwhile */
} gate;

#define GATE_INITIALIZER {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0}

/*
 * A pair. Who is inside enters no second gate whose fork handlers may run before this one's: that fork would
 * wait here for a thread that waits there. Not in a signal handler.
 */
void gate_enter(gate *gate);
void gate_leave(gate *gate);

/* For the handlers of pthread_atfork, which have no argument. */
void gate_before_fork(gate *gate);
void gate_after_fork(gate *gate);
void gate_in_child(gate *gate);

/*
 * Handlers run before a fork in the reverse order of their registration. Threads that are inside take the
 * lock of the runtime's registry: so its handlers are registered before these, and run when nobody is inside.
 *
 * A fork that has begun does not run handlers that are registered meanwhile, and its child would find the
 * gate as another thread had left it. So this is called in a constructor, when no fork has begun.
 */
void gate_follow_forks(void (*before)(void), void (*after)(void), void (*in_child)(void));

#endif
