/*
 * At the kernel's limit of mappings every change that needs one more is refused, and nothing of it has
 * happened; what needs none still works. Sanitizers need mappings themselves.
 *
 * UNSUPPORTED: sanitizer
 * RUN: %cc -D_GNU_SOURCE %s -o %t %runtime && %t | FileCheck %s
 *
 * CHECK: protect is refused
 * CHECK-NEXT: protect of many runs
 * CHECK-NEXT: map_region and its bytes
 * CHECK-NEXT: unmap and sbrk
 * CHECK-NEXT: create and clone
 * CHECK-NEXT: reset
 * CHECK-NEXT: reset of closed pages
 * CHECK-NEXT: afterwards all is as before
 */
#include "host.h"

#define PAGES (1u << 17)

static mf_memory *hog;

/* Every other page read-only, until the kernel has no mapping left. Returns how many pages that were. */
static uint32_t take_all_mappings(void) {
    for (uint32_t page = 1; page < PAGES; page += 2) {
        mf_diag diag = {0};
        mf_status status = mf_memory_protect(hog, page * PAGE, PAGE, MF_PERM_RO, &diag);
        if (status != MF_OK) {
            expect(status == MF_OUT_OF_MEMORY && diag.status == status && diag.message[0] != '\0');
            expect(mf_memory_perm_of(hog, page * PAGE) == MF_PERM_RW);
            /* A page at the end of a run takes one mapping, in the middle it takes two. */
            for (uint32_t last = PAGES - 1;
                 mf_memory_protect(hog, last * PAGE, PAGE, MF_PERM_NONE, NULL) == MF_OK; last -= 2) {
            }
            return page;
        }
    }
    expect(false);
    return 0;
}

static void give_back_mappings(void) {
    expect_ok(mf_memory_protect(hog, 0, (uint64_t)PAGES * PAGE, MF_PERM_RW, NULL));
}

/* What a refused change must leave alone: permissions on both sides, layout, length, bytes. */
typedef struct state {
    size_t mappings;
    size_t kernel_mappings;
    uint64_t fingerprint;
    uint64_t len;
    uint64_t heap_top;
} state;

static state state_of(mf_memory *m) {
    mf_layout *layout;
    expect_ok(mf_memory_layout(m, &layout, NULL));
    size_t mappings = expect_host_agrees(m);
    state now = {mappings, kernel_mappings, mf_layout_fingerprint(layout), mf_memory_len(m),
                 mf_memory_heap_top(m)};
    mf_layout_release(layout);
    return now;
}

static void expect_state(mf_memory *m, state before) {
    state after = state_of(m);
    expect(memcmp(&before, &after, sizeof after) == 0);
}

static void protect_is_refused(mf_memory *m) {
    state before = state_of(m);
    for (int perm = 0; perm < 2; perm++) {
        expect(mf_memory_protect(m, 4 * PAGE, PAGE, (mf_perm)perm, NULL) == MF_OUT_OF_MEMORY);
        expect(mf_memory_perm_of(m, 4 * PAGE) == MF_PERM_RW);
        expect_state(m, before);
    }
    expect(byte_at(m, 4 * PAGE) == 44);
    expect_ok(mf_memory_protect(m, 0, 16 * PAGE, MF_PERM_RO, NULL));
    expect_ok(mf_memory_protect(m, 0, 16 * PAGE, MF_PERM_RW, NULL));
    expect_state(m, before);
    puts("protect is refused");
}

/* Begins in the middle of one run, goes over others, and ends in the middle of another. */
static void protect_many_runs(mf_memory *m) {
    state before = state_of(m);
    mf_status status = mf_memory_protect(m, 20 * PAGE, 3 * PAGE, MF_PERM_NONE, NULL);
    expect(status == MF_OUT_OF_MEMORY);
    expect_state(m, before);
    puts("protect of many runs");
}

static void map_region(mf_memory *m) {
    state before = state_of(m);
    expect(mf_memory_map_region(m, 4 * PAGE, PAGE, MF_READ_ONLY, "new", 3, NULL) == MF_OUT_OF_MEMORY);
    expect(mf_memory_map_region(m, 1 << 20, PAGE, MF_READ_WRITE, "new", 3, NULL) == MF_OUT_OF_MEMORY);
    expect_state(m, before);
    expect(byte_at(m, 4 * PAGE) == 44);
    expect_ok(mf_memory_map_region(m, 4 * PAGE, PAGE, MF_READ_WRITE, "new", 3, NULL));
    expect(byte_at(m, 4 * PAGE) == 'n');
    set_byte(m, 4 * PAGE, 44);
    puts("map_region and its bytes");
}

static void unmap_and_sbrk(mf_memory *m) {
    state before = state_of(m);
    uint64_t old = 77;
    expect(mf_memory_unmap(m, 4 * PAGE, PAGE, NULL) == MF_OUT_OF_MEMORY);
    expect(mf_memory_sbrk(m, PAGE, &old, NULL) == MF_OUT_OF_MEMORY && old == 77);
    expect_state(m, before);
    expect(byte_at(m, 4 * PAGE) == 44);
    puts("unmap and sbrk");
}

static void create_and_clone(mf_memory *m) {
    mf_layout *layout;
    expect_ok(mf_memory_layout(m, &layout, NULL));
    state before = state_of(m);
    uint64_t space = address_space_bytes();
    size_t mappings = count_mappings();
    for (int i = 0; i < 200; i++) {
        mf_memory *made = NULL;
        mf_diag diag = {0};
        expect(mf_memory_create(layout, NULL, backend, &made, &diag) == MF_OUT_OF_MEMORY && made == NULL);
        expect(diag.status == MF_OUT_OF_MEMORY && diag.message[0] != '\0');
        expect(mf_memory_clone(m, &made, NULL) == MF_OUT_OF_MEMORY && made == NULL);
    }
    expect(address_space_bytes() == space && count_mappings() == mappings);
    mf_layout_release(layout);
    expect_state(m, before);
    puts("create and clone");
}

/* Its layout of creation has more runs than now. */
static void reset(mf_memory *m) {
    set_byte(m, 70 * PAGE, 7);
    state before = state_of(m);
    expect(mf_memory_reset(m, NULL) == MF_OUT_OF_MEMORY);
    expect_state(m, before);
    expect(byte_at(m, 70 * PAGE) == 7);
    puts("reset");
}

/* Bytes of a read-only page have changed, and its permission has not. To write them needs two mappings. */
static void reset_closed(mf_memory *m) {
    state before = state_of(m);
    expect(mf_memory_reset(m, NULL) == MF_OUT_OF_MEMORY);
    expect_state(m, before);
    expect(byte_at(m, 4 * PAGE) == 'n');
    puts("reset of closed pages");
}

int main(void) {
    backend = MF_BACKEND_X86_PAGED;
    const mf_region regions[] = {{0, 16 * PAGE, MF_READ_WRITE},
                                 {19 * PAGE, 2 * PAGE, MF_READ_WRITE},
                                 {21 * PAGE, PAGE, MF_READ_ONLY},
                                 {22 * PAGE, 2 * PAGE, MF_READ_WRITE}};
    static mf_region stripes[32];
    for (uint32_t i = 0; i < 32; i++)
        stripes[i] = (mf_region){2 * i * PAGE, PAGE, MF_READ_ONLY};
    mf_memory *m = memory_of(regions, 4, (mf_heap){1 << 24, 16});
    mf_memory *striped = memory_of(stripes, 32, (mf_heap){0});
    size_t created = expect_host_agrees(striped);
    hog = memory_of(&(mf_region){0, (uint64_t)PAGES * PAGE, MF_READ_WRITE}, 1, (mf_heap){0});
    mf_memory *closed = memory_of(&(mf_region){0, 16 * PAGE, MF_READ_ONLY}, 1, (mf_heap){0});
    set_byte(m, 4 * PAGE, 44);
    expect_ok(mf_memory_map_region(closed, 4 * PAGE, PAGE, MF_READ_ONLY, "new", 3, NULL));
    expect_ok(mf_memory_map_region(striped, 0, 80 * PAGE, MF_READ_WRITE, NULL, 0, NULL));
    fflush(stdout);
    uint32_t first = take_all_mappings();
    expect_host_agrees(hog);
    protect_is_refused(m);
    protect_many_runs(m);
    map_region(m);
    unmap_and_sbrk(m);
    create_and_clone(m);
    reset(striped);
    reset_closed(closed);
    give_back_mappings();
    expect_ok(mf_memory_reset(closed, NULL));
    expect(byte_at(closed, 4 * PAGE) == 0);
    mf_memory_destroy(closed);
    expect_ok(mf_memory_reset(striped, NULL));
    expect(expect_host_agrees(striped) == created);
    expect(first > 10000 && take_all_mappings() + 200 > first);
    mf_memory_destroy(m);
    mf_memory_destroy(striped);
    mf_memory_destroy(hog);
    puts("afterwards all is as before");
    return 0;
}
