#include "ir/entry.h"

#include <memfold/exception_table.h>

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>

/* ---- Forks ---- */

/* Held for moments by those who enter and leave, and by a fork from its beginning to its end. */
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static unsigned inside;  /* threads */
static unsigned forking; /* threads that wait for the others to leave; nobody enters meanwhile */
static bool ending;      /* the process is, or the library is unloaded */
static unsigned long departures;
static _Thread_local bool is_inside;

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

/* ---- The end of the process ---- */

/*
 * What LLVM keeps in static variables is destroyed by exit() while threads still run. Those that are inside
 * come out first; code is asked for in vain from then on. The thread that calls exit() may itself be inside,
 * when LLVM ends the process.
 */
static void before_end(void) {
    pthread_mutex_lock(&gate);
    ending = true;
    while (inside > is_inside)
        pthread_cond_wait(&changed, &gate);
    pthread_mutex_unlock(&gate);
}

/*
 * Handlers of exit() run in the reverse order of their registration, and LLVM registers those of variables
 * inside functions when they are first used. So ours is registered again, each time that twice as much has
 * been done.
 */
static bool is_power_of_two(unsigned long count) {
    return (count & (count - 1)) == 0;
}

/* ---- The gate ---- */

void entry_begin(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, follow_forks);
    pthread_mutex_lock(&gate);
    while (forking > 0)
        pthread_cond_wait(&changed, &gate);
    inside++;
    is_inside = true;
    pthread_mutex_unlock(&gate);
}

void entry_end(void) {
    pthread_mutex_lock(&gate);
    inside--;
    is_inside = false;
    bool registers = is_power_of_two(++departures) && !ending;
    if (inside <= 1)
        pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&gate);
    if (registers)
        atexit(before_end);
}

/* ---- What is foreseen ---- */

/* An accessor set takes about 2 MiB while it is compiled, and a table of one byte for each page three times 1
 * MiB. */
#define FORESEEN_BYTES ((size_t)32 << 20)

mf_status entry_foresee(mf_diag *diag) {
    pthread_mutex_lock(&gate);
    bool is_late = ending;
    pthread_mutex_unlock(&gate);
    if (is_late)
        return mf_diag_set(diag, MF_LLVM, 0, "the process ends, and LLVM is not entered any more");
    void *probe = mmap(NULL, FORESEEN_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (probe == MAP_FAILED)
        return mf_diag_set(diag, MF_OUT_OF_MEMORY, FORESEEN_BYTES,
                           "the host has not the %zu MiB of memory that LLVM may need", FORESEEN_BYTES >> 20);
    munmap(probe, FORESEEN_BYTES);
    return MF_OK;
}
