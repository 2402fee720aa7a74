#include "ir/entry.h"

#include <memfold/exception_table.h>

#include <pthread.h>
#include <sys/mman.h>

/* ---- Forks ---- */

/* Held for moments by those who enter and leave, and by a fork from its beginning to its end. */
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static unsigned inside;  /* threads */
static unsigned forking; /* threads that wait for the others to leave; nobody enters meanwhile */

static void before_fork(void) {
    pthread_mutex_lock(&gate);
    forking++;
    while (inside > 0)
        pthread_cond_wait(&changed, &gate);
}

static void after_fork(void) {
    forking--;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&gate);
}

/* What other threads wait for does not concern the only thread of the child. */
static void in_child(void) {
    forking = 0;
    pthread_mutex_init(&gate, NULL);
    pthread_cond_init(&changed, NULL);
}

/*
 * Handlers run before a fork in the reverse order of their registration. Threads that are inside take the
 * lock of the runtime's registry: so it follows forks from an earlier time, and this handler waits for them
 * before that lock is taken. To unregister nothing takes it once.
 */
static void follow_forks(void) {
    mf_exception_table_unregister(NULL);
    pthread_atfork(before_fork, after_fork, in_child);
}

void entry_begin(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, follow_forks);
    pthread_mutex_lock(&gate);
    while (forking > 0)
        pthread_cond_wait(&changed, &gate);
    inside++;
    pthread_mutex_unlock(&gate);
}

void entry_end(void) {
    pthread_mutex_lock(&gate);
    inside--;
    if (inside == 0)
        pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&gate);
}

/* ---- Memory ---- */

/* An accessor set takes about 2 MiB while it is compiled, and a table of one byte for each page three times 1
 * MiB. */
#define FORESEEN_BYTES ((size_t)32 << 20)

mf_status entry_foresee_memory(mf_diag *diag) {
    void *probe = mmap(NULL, FORESEEN_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (probe == MAP_FAILED)
        return mf_diag_set(diag, MF_OUT_OF_MEMORY, FORESEEN_BYTES,
                           "the host has not the %zu MiB of memory that LLVM may need", FORESEEN_BYTES >> 20);
    munmap(probe, FORESEEN_BYTES);
    return MF_OK;
}
