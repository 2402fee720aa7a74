/*
 * For programs that ask what a fork leaves which had begun before anything of memfold was used: each work is
 * done on and on by a thread that starts while the process forks for the first time, and then by the child.
 */
#ifndef MEMFOLD_TEST_FIRST_FORK_H
#define MEMFOLD_TEST_FIRST_FORK_H

#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { FIRST_FORKS = 10 };

typedef struct fork_work {
    const char *name;
    void (*turn)(void);
} fork_work;

/* ---- A process that forks for the first time ---- */

static const fork_work *chosen;
static atomic_uint turns;

static void *work_always(void *unused) {
    for (;;) {
        chosen->turn();
        atomic_fetch_add(&turns, 1);
    }
    return unused;
}

/* A handler of fork: fork has begun, and after it nothing but handlers of others comes before the child. */
static void start_to_work(void) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, work_always, NULL) != 0)
        abort();
    while (atomic_load(&turns) == 0)
        usleep(1000);
}

/* A child that hangs is killed: where it waits for a lock its signals may be blocked. */
static bool goes_on(pid_t child) {
    int status = 1;
    for (int ms = 0; ms < 30000; ms++, usleep(1000))
        if (waitpid(child, &status, WNOHANG) == child)
            return status == 0;
    kill(child, SIGKILL);
    return false;
}

static int fork_for_the_first_time(void) {
    pthread_atfork(start_to_work, NULL, NULL);
    pid_t child = fork();
    if (child == 0) {
        chosen->turn();
        _exit(0);
    }
    _exit(goes_on(child) ? 0 : 1);
}

/* ---- All of them ---- */

static bool run_self(const char *name) {
    char self[] = "/proc/self/exe";
    char *const arguments[] = {self, (char *)(uintptr_t)name, NULL};
    int status = 1;
    pid_t process;
    if (posix_spawn(&process, self, NULL, NULL, arguments, environ) != 0)
        abort();
    waitpid(process, &status, 0);
    return status == 0;
}

/* The main of such a program, which runs itself with a work's name. */
static int fork_first(int argument_count, char **arguments, const fork_work *works, size_t count) {
    for (size_t i = 0; i < count; i++) {
        chosen = &works[i];
        if (argument_count > 1 && strcmp(arguments[1], chosen->name) == 0)
            return fork_for_the_first_time();
    }
    for (size_t i = 0; i < count; i++) {
        int went_on = 0;
        for (int child = 0; child < FIRST_FORKS; child++)
            went_on += run_self(works[i].name);
        printf("%s: %d of %d children went on\n", works[i].name, went_on, FIRST_FORKS);
        fflush(stdout);
    }
    return 0;
}

#endif
