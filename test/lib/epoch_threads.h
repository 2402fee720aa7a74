/* Threads around an epoch: a writer that may have to wait, and newcomers that leave no moment without a
 * reader. */
#ifndef MEMFOLD_TEST_EPOCH_THREADS_H
#define MEMFOLD_TEST_EPOCH_THREADS_H

#include "jit/epoch.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- A writer ---- */

typedef struct epoch_writer {
    pthread_t thread;
    void (*work)(void *argument); /* drains */
    void *argument;
    atomic_bool is_done;
} epoch_writer;

static void *epoch_writer_run(void *context) {
    epoch_writer *w = context;
    w->work(w->argument);
    atomic_store(&w->is_done, true);
    return NULL;
}

static inline void epoch_writer_start(epoch_writer *w, void (*work)(void *argument), void *argument) {
    *w = (epoch_writer){.work = work, .argument = argument};
    if (pthread_create(&w->thread, NULL, epoch_writer_run, w) != 0)
        abort();
}

/* Gives a writer that does not wait time enough to show it. */
static inline bool epoch_writer_waits(epoch_writer *w) {
    usleep(50000);
    return !atomic_load(&w->is_done);
}

static inline void epoch_writer_join(epoch_writer *w) {
    pthread_join(w->thread, NULL);
}

/* ---- Newcomers: each enters before the one before it leaves ---- */

typedef struct epoch_newcomers {
    pthread_t thread;
    epoch *entered;
    atomic_ulong count;
    atomic_bool stop;
} epoch_newcomers;

static void *epoch_newcomers_run(void *context) {
    epoch_newcomers *all = context;
    epoch_reader last = epoch_enter(all->entered, 1);
    while (!atomic_load(&all->stop)) {
        epoch_reader next = epoch_enter(all->entered, 1);
        epoch_leave(last);
        last = next;
        atomic_fetch_add(&all->count, 1);
    }
    epoch_leave(last);
    return NULL;
}

static inline void epoch_newcomers_start(epoch_newcomers *all, epoch *entered) {
    *all = (epoch_newcomers){.entered = entered};
    if (pthread_create(&all->thread, NULL, epoch_newcomers_run, all) != 0)
        abort();
    while (atomic_load(&all->count) == 0)
        usleep(100);
}

static inline void epoch_newcomers_stop(epoch_newcomers *all) {
    atomic_store(&all->stop, true);
    pthread_join(all->thread, NULL);
}

#endif
