/*
 * Whoever takes something away from fault handlers waits for a handler that stands still in the middle of a
 * read, in whichever phase it counted itself, and for no newcomer; a child of fork waits for no thread that
 * it does not have.
 *
 * RUN: %cc -I%source %s -o %t %runtime && %t | FileCheck %s
 *
 * CHECK: a drain waits for a reader of the current phase, not for newcomers
 * CHECK-NEXT: a drain waits for a reader of the phase before
 * CHECK-NEXT: unregistering an exception table waits for a reader of the current phase, not for newcomers
 * CHECK-NEXT: unregistering an exception table waits for a reader of the phase before
 * CHECK-NEXT: destroying a paged memory waits for a reader of the current phase, not for newcomers
 * CHECK-NEXT: destroying a paged memory waits for a reader of the phase before
 * CHECK-NEXT: a child of fork has no readers, and the parent keeps its own
 */
#include "epoch_threads.h"
#include "runtime/registry.h"
#include "support.h"

#include <memfold/exception_table.h>

#include <sys/wait.h>

static mf_exception_entry entries[] = {{1, 2}};
static mf_exception_entry others[] = {{1, 2}};

/* ---- Who takes away: what it needs, and the call that has to wait ---- */

static void *prepare_nothing(void) {
    return NULL;
}

static void drain(void *unused) {
    (void)unused;
    registry_lock();
    registry_drain();
    registry_unlock();
}

/* After the others have gone, no index buffer is waited for any more but the one that the call itself gives
 * up. */
static void *prepare_table(void) {
    expect_ok(mf_exception_table_register(entries, 1, NULL));
    expect_ok(mf_exception_table_register(others, 1, NULL));
    mf_exception_table_unregister(others);
    return entries;
}

static void unregister(void *registered) {
    mf_exception_table_unregister(registered);
}

static void *prepare_memory(void) {
    const mf_region region = {0, PAGE, MF_READ_WRITE};
    backend = MF_BACKEND_X86_PAGED;
    return memory_of(&region, 1, (mf_heap){0});
}

static void destroy(void *memory) {
    mf_memory_destroy(memory);
}

typedef struct removal {
    const char *name;
    void *(*prepare)(void);
    void (*remove)(void *prepared);
} removal;

static const removal REMOVALS[] = {
    {"a drain", prepare_nothing, drain},
    {"unregistering an exception table", prepare_table, unregister},
    {"destroying a paged memory", prepare_memory, destroy},
};

/* ---- The reader that stands still ---- */

static void test_current_phase(const removal *r) {
    void *prepared = r->prepare();
    epoch_writer writer;
    epoch_newcomers newcomers;
    epoch_reader still = registry_enter();
    epoch_newcomers_start(&newcomers, &registry_readers);
    epoch_writer_start(&writer, r->remove, prepared);
    expect(epoch_writer_waits(&writer));
    registry_leave(still);
    epoch_writer_join(&writer);
    epoch_newcomers_stop(&newcomers);
    printf("%s waits for a reader of the current phase, not for newcomers\n", r->name);
}

/* The reader has read the phase, and a whole drain has passed before it counts itself. */
static void test_phase_before(const removal *r) {
    void *prepared = r->prepare();
    epoch_writer writer;
    epoch_reader still = epoch_enter_phase(&registry_readers, 0, !epoch_phase(&registry_readers));
    epoch_writer_start(&writer, r->remove, prepared);
    expect(epoch_writer_waits(&writer));
    registry_leave(still);
    epoch_writer_join(&writer);
    printf("%s waits for a reader of the phase before\n", r->name);
}

/* ---- fork ---- */

typedef struct standing {
    atomic_bool has_entered;
    atomic_bool may_leave;
} standing;

static void *stand_in_both_phases(void *context) {
    standing *s = context;
    epoch_reader first = epoch_enter_phase(&registry_readers, 0, 0);
    epoch_reader second = epoch_enter_phase(&registry_readers, 0, 1);
    atomic_store(&s->has_entered, true);
    while (!atomic_load(&s->may_leave))
        usleep(100);
    registry_leave(first);
    registry_leave(second);
    return NULL;
}

/* Ended by the alarm if it waits for a thread of its parent. */
static void run_child(void) {
    alarm(20);
    expect_ok(mf_exception_table_register(entries, 1, NULL));
    mf_exception_table_unregister(entries);
    drain(NULL);
    _exit(0);
}

static void test_fork(void) {
    pthread_t thread;
    standing s = {0};
    epoch_writer writer;
    int status = 0;
    expect(pthread_create(&thread, NULL, stand_in_both_phases, &s) == 0);
    while (!atomic_load(&s.has_entered))
        usleep(100);
    pid_t child = fork();
    if (child == 0)
        run_child();
    expect(child > 0 && waitpid(child, &status, 0) == child && status == 0);
    epoch_writer_start(&writer, drain, NULL);
    expect(epoch_writer_waits(&writer));
    atomic_store(&s.may_leave, true);
    epoch_writer_join(&writer);
    pthread_join(thread, NULL);
    puts("a child of fork has no readers, and the parent keeps its own");
}

int main(void) {
    alarm(300); /* a drain that waits for newcomers never returns */
    for (size_t i = 0; i < sizeof REMOVALS / sizeof REMOVALS[0]; i++) {
        test_current_phase(&REMOVALS[i]);
        test_phase_before(&REMOVALS[i]);
    }
    fflush(stdout);
    test_fork();
    return 0;
}
