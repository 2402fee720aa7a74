// Parent and child both write 10,000 slots anew and give old ones back, while
// threads of each run the code that it had before the fork and what it has made
// since: neither changes anything of the other. A child forks as well; what was
// there before goes with the last of its slots.
//
// RUN: %arena-cc %s -o %t %arena && %t | FileCheck %s
//
// CHECK: the child's slots answer
// CHECK-NEXT: the child of the child has the old code and its own
// CHECK-NEXT: the parent's slots answer
// CHECK-NEXT: nothing is left of the ranges from before
// CHECK-NEXT: 200 forks leave 1 range
// CHECK-NEXT: while a thread forks nothing is shared: {{[1-9][0-9]*}} forks
// CHECK-NEXT: nor is anything while handlers of fork run
#include "arena_support.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SLOTS = 10000, ROUNDS = 3 };

static arena *a;
static arena_slot slots[SLOTS];
/* What the threads run: the place of a slot, 0 while it has none, and its
 * answer. */
static atomic_uintptr_t place_of[SLOTS];
static uint32_t answer_of[SLOTS];
static atomic_bool stop;

/* What is made anew all the time. */
static arena_slot watched;
static uint32_t watched_answer;

static void make_watched_anew(void) {
    arena_give(a, &watched);
    watched = make_answer(a, 4096, ++watched_answer);
}

/* Forks wait until nobody is in the arena. These handlers are registered before
 * the arena's, so that in the parent others come in again before the arena's
 * have run. */
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static bool handlers_use_arena;

static void before_fork(void) {
    pthread_mutex_lock(&gate);
    if (handlers_use_arena)
        make_watched_anew();
}

static void in_parent(void) {
    if (handlers_use_arena)
        make_watched_anew();
    pthread_mutex_unlock(&gate);
}

static void in_child(void) {
    pthread_mutex_unlock(&gate);
}

/* Shared with children: how many of parent and child have come so far. */
static atomic_int *ready;

static void wait_for(int count) {
    atomic_fetch_add(ready, 1);
    while (atomic_load(ready) < count)
        usleep(100);
}

/* Those that nobody makes anew, which is every second one. */
static void *run_always(void *unused) {
    (void)unused;
    while (!atomic_load(&stop))
        for (size_t i = 0; i < SLOTS; i += 2)
            expect(call_at(atomic_load(&place_of[i])) == answer_of[i]);
    return NULL;
}

static size_t bytes_of(size_t i) {
    return 64 + i % 23 * 64;
}

static void make(size_t i, uint32_t answer) {
    slots[i] = make_answer(a, bytes_of(i), answer);
    answer_of[i] = answer;
    atomic_store(&place_of[i], slots[i].run);
}

static void expect_answers(void) {
    for (size_t i = 0; i < SLOTS; i++)
        expect(answers(&slots[i], answer_of[i]));
}

/* Every second slot is given back and made anew, several times; then the
 * others, when no thread runs them. */
static void change(uint32_t first_answer) {
    pthread_t thread;
    atomic_store(&stop, false);
    expect(pthread_create(&thread, NULL, run_always, NULL) == 0);
    for (uint32_t round = 0; round < ROUNDS; round++)
        for (size_t i = 1; i < SLOTS; i += 2) {
            arena_give(a, &slots[i]);
            make(i, first_answer + round * SLOTS + (uint32_t)i);
        }
    expect_answers();
    atomic_store(&stop, true);
    pthread_join(thread, NULL);
    for (size_t i = 0; i < SLOTS; i += 2) {
        arena_give(a, &slots[i]);
        make(i, first_answer + (uint32_t)i);
    }
    expect_answers();
}

static void be_grandchild(void) {
    expect_answers();
    arena_slot own = make_answer(a, 64, 99);
    expect(answers(&own, 99));
    for (size_t i = 0; i < SLOTS; i++)
        arena_give(a, &slots[i]);
    arena_give(a, &own);
    expect(arena_usage_get(a).kept_ranges == 0);
    arena_destroy(a);
    printf("the child of the child has the old code and its own\n");
    fflush(stdout);
    _exit(0);
}

static void expect_success(pid_t child) {
    int status = 1;
    expect(waitpid(child, &status, 0) == child && status == 0);
}

static void be_child(void) {
    wait_for(2);
    change(1000000);
    wait_for(4); /* the parent has changed everything, too */
    expect_answers();
    printf("the child's slots answer\n");
    fflush(stdout);
    pid_t child = fork();
    if (child == 0)
        be_grandchild();
    expect_success(child);
    _exit(0);
}

static void both_sides(void) {
    for (size_t i = 0; i < SLOTS; i++)
        make(i, (uint32_t)i);
    pid_t child = fork();
    if (child == 0)
        be_child();
    wait_for(2);
    change(2000000);
    wait_for(4);
    expect_answers();
    expect_success(child);
    printf("the parent's slots answer\n");
    expect(arena_usage_get(a).kept_ranges == 0);
    printf("nothing is left of the ranges from before\n");
}

/* Where the parent writes to its slots, a child has room for something else,
 * which the arena leaves alone. */
static void be_small_child(arena_slot slot) {
    void *page = (void *)((uintptr_t)slot.write & ~(uintptr_t)4095);
    uint32_t *other =
        mmap(page, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    expect(other == page);
    *other = 3;
    arena_give(a, &slot);
    slot = make_answer(a, 500, 2);
    expect(answers(&slot, 2) && *other == 3);
    _exit(0);
}

static void many_forks(void) {
    enum { FORKS = 200 };
    for (size_t i = 0; i < SLOTS; i++)
        arena_give(a, &slots[i]);
    for (int i = 0; i < FORKS; i++) {
        arena_slot slot = make_answer(a, 500, 1);
        fflush(stdout);
        pid_t child = fork();
        if (child == 0)
            be_small_child(slot);
        arena_give(a, &slot);
        expect_success(child);
    }
    arena_slot slot = make_answer(a, 500, 1);
    printf("%d forks leave %zu range\n", FORKS, arena_usage_get(a).ranges);
    arena_give(a, &slot);
}

/* The arena is used in the midst of a fork, before the child exists and after
 * that. */
static void fork_between(void) {
    watched_answer = 0;
    watched = make_answer(a, 4096, watched_answer);
    handlers_use_arena = true;
    atomic_store(ready, 0);
    fflush(stdout);
    pid_t child = fork();
    handlers_use_arena = false;
    wait_for(2);
    if (child == 0)
        _exit(watched_answer == 1 && answers(&watched, 1) ? 0 : 1);
    expect(watched_answer == 2 && answers(&watched, 2));
    expect_success(child);
    printf("nor is anything while handlers of fork run\n");
    arena_give(a, &watched);
}

/* One thread always makes a slot anew. The child of the other sleeps and looks
 * whether it is as it was. */
static atomic_int forks_done;

static void *fork_always(void *unused) {
    (void)unused;
    for (int i = 0; i < 30; i++) {
        pid_t child = fork();
        if (child == 0) {
            bool is_right = true;
            for (int k = 0; k < 5; k++) {
                is_right = is_right && answers(&watched, watched_answer);
                usleep(200);
            }
            _exit(is_right ? 0 : 1);
        }
        expect_success(child);
        atomic_fetch_add(&forks_done, 1);
    }
    return NULL;
}

/* The arena is used by one thread while another forks: what the child has is
 * not written. */
static void forks_beside(void) {
    pthread_t thread;
    watched = make_answer(a, 4096, 0);
    expect(pthread_create(&thread, NULL, fork_always, NULL) == 0);
    while (atomic_load(&forks_done) < 30) {
        pthread_mutex_lock(&gate);
        make_watched_anew();
        pthread_mutex_unlock(&gate);
    }
    pthread_join(thread, NULL);
    printf("while a thread forks nothing is shared: %d forks\n", atomic_load(&forks_done));
    arena_give(a, &watched);
}

int main(void) {
    ready = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    expect(ready != MAP_FAILED);
    alarm(120);
    expect(pthread_atfork(before_fork, in_parent, in_child) == 0);
    a = make_arena();
    both_sides();
    many_forks();
    forks_beside();
    fork_between();
    arena_destroy(a);
    return 0;
}
