// Where the host has little address space or memory, ranges are smaller or with one view, or it is a status;
// slots that are there go on, and there are new ones as soon as there is memory again.
//
// UNSUPPORTED: sanitizer
// RUN: %arena-cc %s -Wl,--wrap=madvise -o %t %arena && %t | FileCheck %s
//
// CHECK: no address space: out-of-memory: the host has no memory for code
// CHECK-NEXT: again: works
// CHECK-NEXT: address space for little: {{[1-9][0-9]*}} MiB taken, then out-of-memory: the host has no memory for code
// CHECK-NEXT: no memory: out-of-memory: the host has no memory for code
// CHECK-NEXT: memory for a step: {{[1-9][0-9]*}} slots, then out-of-memory: the host has no memory for code
#include "refuse.h"

#include <sys/resource.h>

static void limit_space(rlim_t bytes) {
    struct rlimit limit;
    expect(getrlimit(RLIMIT_AS, &limit) == 0);
    limit.rlim_cur = bytes;
    expect(setrlimit(RLIMIT_AS, &limit) == 0);
}

static rlim_t used_space(void) {
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    expect(file != NULL && fscanf(file, "%lu", &pages) == 1);
    fclose(file);
    return pages * 4096;
}

/* Memory for this many requests; then the host has none. */
static unsigned populates_left = UINT32_MAX;

int __real_madvise(void *start, size_t bytes, int advice);
int __wrap_madvise(void *start, size_t bytes, int advice);
int __wrap_madvise(void *start, size_t bytes, int advice) {
    enum { POPULATE_READ = 22, POPULATE_WRITE = 23, COLLAPSE = 25 };
    bool asks = advice == POPULATE_READ || advice == POPULATE_WRITE || advice == COLLAPSE;
    if (asks && populates_left == 0) {
        errno = ENOMEM;
        return -1;
    }
    populates_left -= asks;
    return __real_madvise(start, bytes, advice);
}

static void expect_no_memory(arena *a, size_t bytes) {
    arena_slot slot = {0};
    mf_diag diag = {0};
    mf_status status = arena_take(a, bytes, &slot, &diag);
    expect(slot.own == NULL && diag.status == status);
    printf("%s: %s\n", mf_status_name(status), diag.message);
}

static void without_space(void) {
    arena *a = make_arena();
    limit_space(used_space() + ((rlim_t)1 << 20));
    expect_no_memory(a, 64);
    limit_space(RLIM_INFINITY);
    arena_slot slot = make_answer(a, 64, 3);
    printf("again: %s\n", answers(&slot, 3) ? "works" : "does not answer");
    arena_give(a, &slot);
    arena_destroy(a);
}

/* Slots are taken until there is no more, and most of the space was used for them. */
static void with_little_space(void) {
    enum { SLOTS = 1000 };
    static arena_slot slots[SLOTS];
    const rlim_t space = (rlim_t)40 << 20;
    arena *a = make_arena();
    size_t count = 0;
    limit_space(used_space() + space);
    while (count < SLOTS && arena_take(a, (size_t)1 << 18, &slots[count], NULL) == MF_OK) {
        write_answer(&slots[count], (uint32_t)count);
        publish(a, &slots[count]);
        count++;
    }
    expect(count * ((size_t)1 << 18) >= space / 2);
    printf("%zu MiB taken, then ", count / 4);
    expect_no_memory(a, (size_t)1 << 18);
    for (size_t i = 0; i < count; i++) {
        expect(answers(&slots[i], (uint32_t)i));
        arena_give(a, &slots[i]);
    }
    arena_destroy(a);
}

static void without_memory(void) {
    arena *a = make_arena();
    populates_left = 0;
    expect_no_memory(a, 64);
    expect(arena_usage_get(a).reached_bytes == 0);
    populates_left = UINT32_MAX;
    arena_slot slot = make_answer(a, 64, 3);
    expect(answers(&slot, 3));
    arena_give(a, &slot);
    arena_destroy(a);
}

static void with_memory_for_a_step(void) {
    enum { SLOTS = 2000 };
    static arena_slot slots[SLOTS];
    arena *a = make_arena();
    size_t count = 0;
    populates_left = 2;
    while (count < SLOTS && arena_take(a, 1024, &slots[count], NULL) == MF_OK) {
        write_answer(&slots[count], (uint32_t)count);
        count++;
    }
    printf("%zu slots, then ", count);
    expect_no_memory(a, 1024);
    for (size_t i = 0; i < count; i++) {
        expect(answers(&slots[i], (uint32_t)i));
        arena_give(a, &slots[i]);
    }
    expect(arena_usage_get(a).taken_bytes == 0);
    arena_destroy(a);
}

int main(void) {
    in_child("no address space", without_space);
    in_child("address space for little", with_little_space);
    in_child("no memory", without_memory);
    in_child("memory for a step", with_memory_for_a_step);
    return 0;
}
