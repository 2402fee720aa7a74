#include "ir/entry.h"

#include "host/gate.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>

/* Held for moments. */
static pthread_mutex_t end_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static unsigned inside; /* threads, those that the jit has brought too */
static bool ending;     /* the process is, or the library is unloaded */
static unsigned long departures;
static _Thread_local bool is_inside;

/* ---- Forks ---- */

static gate forks = GATE_INITIALIZER;

static void before_fork(void) {
    gate_before_fork(&forks);
}

static void after_fork(void) {
    gate_after_fork(&forks);
}

/* The jit's gate has let nobody in either, so nobody but a thread that waits in before_end is here. */
static void in_child(void) {
    gate_in_child(&forks);
    pthread_mutex_init(&end_lock, NULL);
    pthread_cond_init(&changed, NULL);
}

static void follow_forks(void) {
    gate_follow_forks(before_fork, after_fork, in_child);
}

__attribute__((constructor)) static void foresee_forks(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, follow_forks);
}

/* ---- The end of the process ---- */

/*
 * What LLVM keeps in static variables is destroyed by exit() while threads still run. Those that are inside
 * come out first; code is asked for in vain from then on. The thread that calls exit() may itself be inside,
 * when LLVM ends the process.
 */
static void before_end(void) {
    pthread_mutex_lock(&end_lock);
    ending = true;
    while (inside > is_inside)
        pthread_cond_wait(&changed, &end_lock);
    pthread_mutex_unlock(&end_lock);
}

/*
 * Handlers of exit() run in the reverse order of their registration, and LLVM registers those of variables
 * inside functions when they are first used. So ours is registered again, each time that twice as much has
 * been done.
 */
static bool is_power_of_two(unsigned long count) {
    return (count & (count - 1)) == 0;
}

/* ---- In and out ---- */

void entry_begin_in_jit(void) {
    pthread_mutex_lock(&end_lock);
    inside++;
    is_inside = true;
    pthread_mutex_unlock(&end_lock);
}

void entry_end_in_jit(void) {
    pthread_mutex_lock(&end_lock);
    inside--;
    is_inside = false;
    bool registers = is_power_of_two(++departures) && !ending;
    if (inside <= 1)
        pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&end_lock);
    if (registers)
        atexit(before_end);
}

void entry_begin(void) {
    foresee_forks(); /* constructors may run before ours */
    gate_enter(&forks);
    entry_begin_in_jit();
}

void entry_end(void) {
    entry_end_in_jit();
    gate_leave(&forks);
}

/* ---- What is foreseen ---- */

/* An accessor set takes about 2 MiB while it is compiled, and a table of one byte for each page three times 1
 * MiB. */
#define FORESEEN_BYTES ((size_t)32 << 20)

mf_status entry_foresee(mf_diag *diag) {
    pthread_mutex_lock(&end_lock);
    bool is_late = ending;
    pthread_mutex_unlock(&end_lock);
    if (is_late)
        return mf_diag_set(diag, MF_LLVM, 0, "the process ends, and LLVM is not entered any more");
    void *probe = mmap(NULL, FORESEEN_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (probe == MAP_FAILED)
        return mf_diag_set(diag, MF_OUT_OF_MEMORY, FORESEEN_BYTES,
                           "the host has not the %zu MiB of memory that LLVM may need", FORESEEN_BYTES >> 20);
    munmap(probe, FORESEEN_BYTES);
    return MF_OK;
}
