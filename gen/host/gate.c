#include "host/gate.h"

#include <memfold/exception_table.h>

void gate_enter(gate *g) {
    pthread_mutex_lock(&g->lock);
    while (g->forking > 0)
        pthread_cond_wait(&g->changed, &g->lock);
    g->inside++;
    pthread_mutex_unlock(&g->lock);
}

void gate_leave(gate *g) {
    pthread_mutex_lock(&g->lock);
    if (--g->inside == 0)
        pthread_cond_broadcast(&g->changed);
    pthread_mutex_unlock(&g->lock);
}

void gate_before_fork(gate *g) {
    pthread_mutex_lock(&g->lock);
    g->forking++;
    while (g->inside > 0)
        pthread_cond_wait(&g->changed, &g->lock);
    pthread_mutex_unlock(&g->lock);
}

void gate_after_fork(gate *g) {
    pthread_mutex_lock(&g->lock);
    g->forking--;
    pthread_cond_broadcast(&g->changed);
    pthread_mutex_unlock(&g->lock);
}

/* What other threads wait for, or hold for a moment, does not concern the only thread of the child. */
void gate_in_child(gate *g) {
    g->forking = 0;
    pthread_mutex_init(&g->lock, NULL);
    pthread_cond_init(&g->changed, NULL);
}

/* To unregister nothing registers the handlers of the runtime's registry. */
void gate_follow_forks(void (*before)(void), void (*after)(void), void (*in_child)(void)) {
    mf_exception_table_unregister(NULL);
    pthread_atfork(before, after, in_child);
}
