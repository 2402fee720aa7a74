// Slots of mixed sizes, taken and given back in any order: none overlaps another, each keeps its code while
// the others change, what is executed cannot be written, and at most a third of what the ranges have ever
// used lies idle with 100,000 of them.
//
// RUN: %arena-cc %s -o %t %arena && %t | FileCheck %s
//
// CHECK: a slot is written at one address and executed at another
// CHECK-NEXT: 100000 slots of mixed sizes answer
// CHECK-NEXT: 100000 slots answer after {{[0-9]+}} changes; used to reached: 0.{{6[7-9]|[789][0-9]}}
// CHECK-NEXT: slots of any size up to 40 MiB
// CHECK-NEXT: ranges without slots are gone but for 1
// CHECK-NEXT: what is given back in any order is one piece
#include "arena_support.h"
#include "random.h"

enum { SLOTS = 100000 };

static arena *a;
static arena_slot slots[SLOTS];
static uint32_t answer_of[SLOTS];
static uint32_t next_answer;
static random_source source = {17};

static void two_addresses(void) {
    char write[5], run[5];
    arena_slot slot = make_answer(a, 1, 7);
    expect(slot.bytes == ARENA_ALIGNMENT && slot.run % ARENA_ALIGNMENT == 0 && answers(&slot, 7));
    permissions_of((uintptr_t)slot.write, write);
    permissions_of(slot.run, run);
    expect(strcmp(write, "rw-s") == 0 && strcmp(run, "r-xs") == 0);
    arena_give(a, &slot);
    expect(slot.own == NULL);
    printf("a slot is written at one address and executed at another\n");
}

/* As sets of accessors are: mostly a kilobyte or two, some small, some with tables. */
static size_t random_bytes(void) {
    uint64_t kind = random_below(&source, 16);
    if (kind == 0)
        return 8192 + random_below(&source, 8192);
    return kind < 4 ? 16 + random_below(&source, 240) : 600 + random_below(&source, 1500);
}

static void fill(size_t i) {
    size_t bytes = random_bytes();
    answer_of[i] = ++next_answer;
    slots[i] = make_answer(a, bytes, answer_of[i]);
    expect(slots[i].bytes >= bytes && slots[i].bytes < bytes + ARENA_ALIGNMENT);
}

static void expect_answers(void) {
    for (size_t i = 0; i < SLOTS; i++)
        expect(answers(&slots[i], answer_of[i]));
}

static int by_address(const void *x, const void *y) {
    const arena_slot *slot_x = x, *slot_y = y;
    return slot_x->run < slot_y->run ? -1 : slot_x->run > slot_y->run;
}

static void expect_apart(void) {
    static arena_slot sorted[SLOTS];
    memcpy(sorted, slots, sizeof sorted);
    qsort(sorted, SLOTS, sizeof sorted[0], by_address);
    for (size_t i = 1; i < SLOTS; i++)
        expect(sorted[i - 1].run + sorted[i - 1].bytes <= sorted[i].run);
}

static void mixed_sizes(void) {
    enum { CHANGES = 300000 };
    for (size_t i = 0; i < SLOTS; i++)
        fill(i);
    expect_answers();
    expect_apart();
    printf("%d slots of mixed sizes answer\n", SLOTS);
    for (size_t n = 0; n < CHANGES; n++) {
        size_t i = random_below(&source, SLOTS);
        arena_give(a, &slots[i]);
        fill(i);
    }
    expect_answers();
    expect_apart();
    arena_usage usage = arena_usage_get(a);
    printf("%d slots answer after %d changes; used to reached: %.2f\n", SLOTS, CHANGES,
           (double)usage.taken_bytes / (double)usage.reached_bytes);
}

static void large_sizes(void) {
    for (size_t bytes = 1; bytes < (size_t)40 << 20; bytes = bytes * 3 / 2 + 1) {
        arena_slot slot = make_answer(a, bytes, (uint32_t)bytes);
        expect(slot.bytes >= bytes && answers(&slot, (uint32_t)bytes));
        arena_give(a, &slot);
    }
    arena_slot slot;
    expect(arena_take(a, SIZE_MAX, &slot, NULL) == MF_OUT_OF_MEMORY);
    printf("slots of any size up to 40 MiB\n");
}

static void give_all(void) {
    for (size_t i = 0; i < SLOTS; i++)
        arena_give(a, &slots[i]);
    /* The last batch may still wait for its barrier. */
    for (size_t i = 0; i < 64; i++)
        slots[i] = make_answer(a, 8192, 1);
    for (size_t i = 0; i < 64; i++)
        arena_give(a, &slots[i]);
    arena_usage usage = arena_usage_get(a);
    expect(usage.taken_bytes == 0 && usage.kept_ranges == 0);
    printf("ranges without slots are gone but for %zu\n", usage.ranges);
}

/* All slots of a range are given back, in an order of its own: place n is the n-th. */
static void one_piece(size_t (*place)(size_t n)) {
    enum { PIECES = 200 };
    arena *small = make_arena();
    for (size_t i = 0; i < PIECES; i++)
        slots[i] = make_answer(small, 8192, 1);
    uintptr_t start = slots[0].run;
    for (size_t n = 0; n < PIECES; n++)
        arena_give(small, &slots[place(n)]);
    arena_slot whole = take(small, arena_usage_get(small).mapped_bytes);
    expect(whole.run == start && arena_usage_get(small).ranges == 1);
    arena_give(small, &whole);
    arena_destroy(small);
}

static size_t upwards(size_t n) {
    return n;
}

static size_t downwards(size_t n) {
    return 199 - n;
}

/* 7 and 200 have no common factor. */
static size_t in_leaps(size_t n) {
    return n * 7 % 200;
}

int main(void) {
    a = make_arena();
    two_addresses();
    mixed_sizes();
    large_sizes();
    give_all();
    one_piece(upwards);
    one_piece(downwards);
    one_piece(in_leaps);
    printf("what is given back in any order is one piece\n");
    arena_destroy(a);
    return 0;
}
