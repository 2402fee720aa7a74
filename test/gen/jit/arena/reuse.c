// A slot that was given back is taken again only behind a barrier that came after; one barrier is for many
// slots, and none is asked for while there is room that was never used. Threads run slots all the time while
// others are given back and made anew.
//
// RUN: %arena-cc %s -Wl,--wrap=syscall -o %t %arena && %t | FileCheck %s
//
// CHECK: 50000 slots, each reused behind a barrier; slots for one barrier: {{[3-9][0-9]|[1-9][0-9][0-9]}}
// CHECK-NEXT: what has been given back ends a program that calls it
// CHECK-NEXT: 4 threads ran {{[1-9][0-9]*}} slots while these were made anew
#include "arena_support.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static unsigned barriers;

long __real_syscall(long number, long first, long second, long third);
long __wrap_syscall(long number, long first, long second, long third);
long __wrap_syscall(long number, long first, long second, long third) {
    enum { SYNC_CORE = 1 << 5 };
    barriers += number == SYS_membarrier && first == SYNC_CORE;
    return __real_syscall(number, first, second, third);
}

/* ---- Barriers ---- */

/* The barriers there had been when what begins at this multiple of 64 was given back; 0 if never. */
#define SPAN ((uintptr_t)16 << 20)
static unsigned given_at[SPAN / ARENA_ALIGNMENT];
static uintptr_t first_run;

static unsigned *given_at_of(uintptr_t run) {
    expect(run >= first_run && run < first_run + SPAN);
    return &given_at[(run - first_run) / ARENA_ALIGNMENT];
}

static void behind_barriers(arena *a) {
    enum { SLOTS = 50000, HELD = 100 };
    static arena_slot held[HELD];
    held[0] = take(a, 64);
    first_run = held[0].run & ~(SPAN - 1);
    arena_give(a, &held[0]);
    unsigned first = barriers;
    for (size_t i = 0; i < SLOTS; i++) {
        arena_slot *slot = &held[i % HELD];
        if (slot->own != NULL) {
            for (uintptr_t at = slot->run; at < slot->run + slot->bytes; at += ARENA_ALIGNMENT)
                *given_at_of(at) = barriers + 1;
            arena_give(a, slot);
        }
        *slot = make_answer(a, 64 + i % 31 * 64, (uint32_t)i);
        for (uintptr_t at = slot->run; at < slot->run + slot->bytes; at += ARENA_ALIGNMENT)
            expect(*given_at_of(at) < barriers + 1);
        expect(answers(slot, (uint32_t)i));
    }
    expect(barriers > first);
    printf("%d slots, each reused behind a barrier; slots for one barrier: %u\n", SLOTS,
           SLOTS / (barriers - first));
    for (size_t i = 0; i < HELD; i++)
        arena_give(a, &held[i]);
}

static void call_late(arena *a) {
    int status = 0;
    arena_slot slot = make_answer(a, 640, 1);
    uintptr_t run = slot.run;
    arena_give(a, &slot);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGTRAP, SIG_DFL);
        _exit((int)call_at(run + 64));
    }
    expect(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGTRAP);
    printf("what has been given back ends a program that calls it\n");
}

/* ---- Threads ---- */

/* What threads may run at the moment: each holds the lock of the slot meanwhile, and what it answers is its
 * number and a serial. */
enum { SHARED = 64, THREADS = 4, CHANGES = 30000 };

static struct {
    pthread_mutex_t lock;
    arena_slot slot;
    uint32_t answer;
} shared[SHARED];
static atomic_bool stop;
static atomic_ulong runs;

static void *run_always(void *unused) {
    (void)unused;
    for (size_t i = 0; !atomic_load(&stop); i++) {
        pthread_mutex_lock(&shared[i % SHARED].lock);
        expect(answers(&shared[i % SHARED].slot, shared[i % SHARED].answer));
        pthread_mutex_unlock(&shared[i % SHARED].lock);
        atomic_fetch_add(&runs, 1);
    }
    return NULL;
}

static void beside_threads(arena *a) {
    pthread_t threads[THREADS];
    for (uint32_t i = 0; i < SHARED; i++) {
        pthread_mutex_init(&shared[i].lock, NULL);
        shared[i].slot = make_answer(a, 500, i);
        shared[i].answer = i;
    }
    for (int i = 0; i < THREADS; i++)
        expect(pthread_create(&threads[i], NULL, run_always, NULL) == 0);
    for (uint32_t n = 0; n < CHANGES || atomic_load(&runs) < CHANGES; n++) {
        uint32_t i = n * 7 % SHARED;
        arena_slot made = make_answer(a, 64 + n % 29 * 64, n);
        pthread_mutex_lock(&shared[i].lock);
        arena_slot old = shared[i].slot;
        shared[i].slot = made;
        shared[i].answer = n;
        pthread_mutex_unlock(&shared[i].lock);
        arena_give(a, &old);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    printf("%d threads ran %lu slots while these were made anew\n", THREADS, atomic_load(&runs));
}

int main(void) {
    arena *a = make_arena();
    behind_barriers(a);
    call_late(a);
    beside_threads(a);
    arena_destroy(a);
    return 0;
}
