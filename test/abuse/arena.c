/*
 * Every call that the arena makes of the host, refused in its turn: a status that says why, nothing left
 * behind, and slots that answer at the next attempt.
 *
 * RUN: %cc -D_GNU_SOURCE -I%source/gen %s %S/lib/refuse_calls.c %refuse-calls -o %t %build/gen/libmemfold_jit.a %runtime
 * RUN: %t | FileCheck %s
 *
 * UNSUPPORTED: sanitize-thread
 *
 * CHECK: create, use and destroy: {{[1-9][0-9]}} calls
 * CHECK-NEXT: take: {{[1-9][0-9]}} calls
 * CHECK-NEXT: take, name and give many: {{[1-9][0-9]*}} calls
 * CHECK-NEXT: take after a fork: {{[1-9][0-9]}} calls
 */
#include "jit/arena.h"

#include "lib/every_call.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* UBSan looks for a type hash in front of the callee, and code made at run time has none there. */
#ifdef __clang__
#define CALLS_MADE_CODE __attribute__((no_sanitize("function")))
#else
#define CALLS_MADE_CODE
#endif

static arena *kept;
static arena_slot kept_slot;

/* mov $answer, %eax; ret */
static mf_status make(arena *a, uint32_t answer, arena_slot *slot, mf_diag *diag) {
    static const arena_function functions[] = {{"load_u8", 0, 6}, {"load_u16", 64, 6}};
    unsigned char code[] = {0xb8, 0, 0, 0, 0, 0xc3};
    mf_status status = arena_take(a, 1000, slot, diag);
    if (status != MF_OK)
        return status;
    memcpy(code + 1, &answer, sizeof answer);
    memcpy(slot->write, code, sizeof code);
    status = arena_publish(a, slot, diag);
    if (status == MF_OK)
        arena_name(a, slot, "guest_1", functions, 2);
    else
        arena_give(a, slot);
    return status;
}

CALLS_MADE_CODE static uint32_t call(const arena_slot *slot) {
    return ((uint32_t (*)(void))slot->run)();
}

static void expect_kept_answers(void) {
    expect_here(call(&kept_slot) == 77);
}

static void run_all(const void *context) {
    (void)context;
    arena *a = NULL;
    arena_slot slot;
    mf_diag diag = {0};
    refusals_begin();
    mf_status status = arena_create(&a, &diag);
    if (status == MF_OK)
        status = make(a, 5, &slot, &diag);
    if (status == MF_OK) {
        expect_here(call(&slot) == 5);
        arena_give(a, &slot);
    }
    arena_destroy(a);
    refusals_end();
    was_refused(status, &diag);
}

static void run_take(const void *context) {
    (void)context;
    arena *a = NULL;
    arena_slot slot = {0};
    mf_diag diag = {0};
    expect_here(arena_create(&a, NULL) == MF_OK);
    refusals_begin();
    mf_status status = make(a, 5, &slot, &diag);
    refusals_end();
    if (was_refused(status, &diag)) {
        expect_here(slot.own == NULL);
        expect_here(make(a, 5, &slot, &diag) == MF_OK);
    }
    expect_here(call(&slot) == 5);
    arena_give(a, &slot);
    arena_destroy(a);
}

/* More than a range has, so that it grows, and so much that barriers are needed. */
static void run_many(const void *context) {
    enum { SLOTS = 3000 };
    static arena_slot slots[SLOTS];
    (void)context;
    arena *a = NULL;
    mf_diag diag = {0};
    mf_status status = MF_OK;
    size_t count = 0;
    expect_here(arena_create(&a, NULL) == MF_OK);
    refusals_begin();
    while (count < SLOTS && (status = make(a, (uint32_t)count, &slots[count], &diag)) == MF_OK) {
        count++;
        if (count % 3 == 0)
            arena_give(a, &slots[count - 2]);
    }
    refusals_end();
    was_refused(status, &diag);
    for (size_t i = 0; i < count; i++)
        if (slots[i].own != NULL) {
            expect_here(call(&slots[i]) == i);
            arena_give(a, &slots[i]);
        }
    expect_here(arena_usage_get(a).taken_bytes == 0);
    arena_destroy(a);
}

/* The ranges are another process's as well; what is in them goes on, whether there are new ones or not. */
static void run_after_fork(const void *context) {
    (void)context;
    int ended = 1;
    arena_slot slot = {0};
    mf_diag diag = {0};
    expect_here(arena_create(&kept, NULL) == MF_OK && make(kept, 77, &kept_slot, NULL) == MF_OK);
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    expect_here(waitpid(child, &ended, 0) == child && ended == 0);
    refusals_begin();
    mf_status status = make(kept, 5, &slot, &diag);
    refusals_end();
    expect_kept_answers();
    if (!was_refused(status, &diag)) {
        expect_here(call(&slot) == 5);
        arena_give(kept, &slot);
    }
    arena_give(kept, &kept_slot);
    arena_destroy(kept);
}

int main(void) {
    refuse_every_call("create, use and destroy", run_all, NULL, true);
    refuse_every_call("take", run_take, NULL, true);
    refuse_every_call("take, name and give many", run_many, NULL, true);
    refuse_every_call("take after a fork", run_after_fork, NULL, true);
    return 0;
}
