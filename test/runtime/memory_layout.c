/*
 * The live layout and the fingerprint in the views follow every change of pages.
 *
 * RUN: %cc %s -o %t %runtime && %t | FileCheck %s
 *
 * CHECK: creation_layout_is_known
 * CHECK-NEXT: changes_forget_the_layout
 * CHECK-NEXT: changes_that_change_nothing
 * CHECK-NEXT: sbrk_keeps_the_layout
 * CHECK-NEXT: a_changed_heap_page_freezes_the_heap
 * CHECK-NEXT: a_frozen_heap_at_the_top_is_gone
 * CHECK-NEXT: a_frozen_layout_survives_sbrk
 * CHECK-NEXT: reset_brings_the_layout_back
 * CHECK-NEXT: live_layouts_match_built_ones
 * CHECK-NEXT: on copy
 * CHECK-NEXT: on x86_paged
 */
#include "support.h"

static mf_layout *live(mf_memory *m) {
    mf_layout *layout;
    expect_ok(mf_memory_layout(m, &layout, NULL));
    expect(mf_memory_view(m)->layout_stamp == MF_LAYOUT_STAMP(mf_layout_fingerprint(layout), backend));
    return layout;
}

/* True if the live layout is exactly this one; asks for it, so the fingerprint is known afterwards. */
static bool live_is(mf_memory *m, const mf_region *regions, size_t count, mf_heap heap) {
    mf_layout *want = layout_of(regions, count, heap);
    mf_layout *have = live(m);
    bool equal = mf_layout_equal(want, have) && mf_layout_fingerprint(want) == mf_layout_fingerprint(have);
    mf_layout_release(want);
    mf_layout_release(have);
    return equal;
}

static uint64_t known(mf_memory *m) {
    return mf_memory_view(m)->layout_stamp;
}

/* From a change on until the layout is asked for, only the backend is. */
static bool is_known(mf_memory *m) {
    return known(m) != MF_LAYOUT_STAMP(0, backend);
}

static const mf_region two_regions[] = {{PAGE, 2 * PAGE, MF_READ_ONLY}, {3 * PAGE, PAGE, MF_READ_WRITE}};
static const mf_heap small_heap = {4 * PAGE, 8};

static void creation_layout_is_known(void) {
    mf_layout *layout = layout_of(two_regions, 2, small_heap);
    mf_memory *m;
    expect_ok(mf_memory_create(layout, NULL, backend, &m, NULL));
    expect(known(m) == MF_LAYOUT_STAMP(mf_layout_fingerprint(layout), backend));
    mf_layout *have = live(m);
    expect(have == layout);
    mf_layout_release(have);
    mf_layout_release(layout);
    mf_memory_destroy(m);
}

static void changes_forget_the_layout(void) {
    mf_memory *m = memory_of(two_regions, 2, small_heap);
    mf_view further;
    mf_view_attach(&further, m);
    uint64_t before = further.layout_stamp;
    expect(before != 0);
    expect_ok(mf_memory_map_region(m, 20 * PAGE, PAGE, MF_READ_ONLY, NULL, 0, NULL));
    expect(!is_known(m) && further.layout_stamp == known(m));
    const mf_region three[] = {two_regions[0], two_regions[1], {20 * PAGE, PAGE, MF_READ_ONLY}};
    expect(live_is(m, three, 3, small_heap));
    expect(further.layout_stamp == known(m) && known(m) != before);
    expect_ok(mf_memory_protect(m, 20 * PAGE, PAGE, MF_PERM_RW, NULL));
    expect(!is_known(m) && further.layout_stamp == known(m));
    mf_layout_release(live(m));
    expect_ok(mf_memory_unmap(m, 20 * PAGE, PAGE, NULL));
    expect(!is_known(m));
    expect(live_is(m, two_regions, 2, small_heap) && known(m) == before);
    mf_view_detach(&further);
    mf_memory_destroy(m);
}

static void changes_that_change_nothing(void) {
    mf_memory *m = memory_of(two_regions, 2, small_heap);
    uint64_t before = known(m);
    expect_ok(mf_memory_map_region(m, PAGE, PAGE, MF_READ_ONLY, "new bytes", 9, NULL));
    expect_ok(mf_memory_protect(m, 3 * PAGE, PAGE, MF_PERM_RW, NULL));
    expect_ok(mf_memory_unmap(m, 30 * PAGE, PAGE, NULL));
    expect(known(m) == before && live_is(m, two_regions, 2, small_heap));
    expect(byte_at(m, PAGE) == 'n');
    mf_memory_destroy(m);
}

static void sbrk_keeps_the_layout(void) {
    mf_memory *m = memory_of(two_regions, 2, small_heap);
    uint64_t before = known(m), old;
    expect_ok(mf_memory_sbrk(m, 3 * PAGE + 5, &old, NULL));
    expect(known(m) == before && live_is(m, two_regions, 2, small_heap));
    /* Made anew, and still without the heap's pages although they follow a region without a gap. */
    expect_ok(mf_memory_protect(m, PAGE, PAGE, MF_PERM_RW, NULL));
    expect_ok(mf_memory_protect(m, PAGE, PAGE, MF_PERM_RO, NULL));
    expect(!is_known(m) && live_is(m, two_regions, 2, small_heap) && known(m) == before);
    /* A region right behind the live heap is a region. */
    expect_ok(mf_memory_protect(m, 8 * PAGE, PAGE, MF_PERM_RW, NULL));
    const mf_region three[] = {two_regions[0], two_regions[1], {8 * PAGE, PAGE, MF_READ_WRITE}};
    expect(live_is(m, three, 3, small_heap));
    mf_memory_destroy(m);
}

static void a_changed_heap_page_freezes_the_heap(void) {
    mf_memory *m = memory_of(two_regions, 2, small_heap);
    uint64_t old;
    expect_ok(mf_memory_sbrk(m, 2 * PAGE + 1, &old, NULL));
    expect_ok(mf_memory_protect(m, 5 * PAGE, PAGE, MF_PERM_RO, NULL));
    const mf_region frozen[] = {{PAGE, 2 * PAGE, MF_READ_ONLY},
                                {3 * PAGE, 2 * PAGE, MF_READ_WRITE},
                                {5 * PAGE, PAGE, MF_READ_ONLY},
                                {6 * PAGE, PAGE, MF_READ_WRITE}};
    expect(live_is(m, frozen, 4, (mf_heap){7 * PAGE, 5}));
    expect(mf_memory_view(m)->heap_end == 7 * PAGE && mf_memory_heap_base(m) == 4 * PAGE);
    expect_ok(mf_memory_protect(m, 5 * PAGE, PAGE, MF_PERM_RW, NULL));
    expect(live_is(m, two_regions, 2, small_heap));
    expect_ok(mf_memory_unmap(m, 4 * PAGE, 3 * PAGE, NULL));
    expect(live_is(m, two_regions, 2, (mf_heap){7 * PAGE, 5}));
    mf_memory_destroy(m);
}

static void a_frozen_heap_at_the_top_is_gone(void) {
    mf_memory *m = memory_of(NULL, 0, (mf_heap){0xffffe000, 2}), *clone;
    uint64_t old;
    expect_ok(mf_memory_sbrk(m, 2 * PAGE, &old, NULL));
    expect_ok(mf_memory_protect(m, 0xfffff000, PAGE, MF_PERM_RO, NULL));
    const mf_region both[] = {{0xffffe000, PAGE, MF_READ_WRITE}, {0xfffff000, PAGE, MF_READ_ONLY}};
    expect(live_is(m, both, 2, (mf_heap){0, 0}));
    expect_ok(mf_memory_clone(m, &clone, NULL));
    expect(mf_memory_perm_of(clone, 0) == MF_PERM_NONE && live_is(clone, both, 2, (mf_heap){0, 0}));
    mf_memory_destroy(clone);
    mf_memory_destroy(m);
}

static void a_frozen_layout_survives_sbrk(void) {
    mf_memory *m = memory_of(NULL, 0, small_heap);
    uint64_t old;
    expect_ok(mf_memory_sbrk(m, 2 * PAGE, &old, NULL));
    expect_ok(mf_memory_protect(m, 4 * PAGE, PAGE, MF_PERM_RO, NULL));
    mf_layout *before = live(m);
    expect_ok(mf_memory_sbrk(m, PAGE, &old, NULL));
    mf_layout *after = live(m);
    expect(mf_layout_equal(before, after) &&
           known(m) == MF_LAYOUT_STAMP(mf_layout_fingerprint(before), backend));
    expect(mf_layout_heap(after).base == 6 * PAGE && mf_layout_heap(after).max_pages == 6);
    mf_layout_release(before);
    mf_layout_release(after);
    mf_memory_destroy(m);
}

static void reset_brings_the_layout_back(void) {
    mf_memory *m = memory_of(two_regions, 2, small_heap);
    uint64_t before = known(m);
    expect_ok(mf_memory_reset(m, NULL));
    expect(known(m) == before);
    expect_ok(mf_memory_unmap(m, PAGE, PAGE, NULL));
    mf_layout_release(live(m));
    expect(is_known(m) && known(m) != before);
    expect_ok(mf_memory_reset(m, NULL));
    expect(is_known(m) && known(m) == before);
    expect(live_is(m, two_regions, 2, small_heap));
    mf_memory_destroy(m);
}

/* Random changes: the layout of the memory equals the one a builder makes of the same pages. */
static void live_layouts_match_built_ones(void) {
    enum { PAGES = 40 };
    uint64_t random = 0x1234567;
    mf_memory *m = memory_of(NULL, 0, (mf_heap){0});
    uint32_t base = (uint32_t)(TOP - PAGES * PAGE);
    for (int round = 0; round < 500; round++) {
        uint32_t first = (uint32_t)(next_random(&random) % PAGES);
        uint32_t count = 1 + (uint32_t)(next_random(&random) % (PAGES - first));
        mf_perm perm = (mf_perm)(next_random(&random) % 3);
        expect_ok(mf_memory_protect(m, base + first * PAGE, (uint64_t)count * PAGE, perm, NULL));
        mf_layout_builder *builder = mf_layout_builder_create();
        mf_layout *built;
        for (uint32_t page = 0; page < PAGES; page++) {
            mf_perm live_perm = mf_memory_perm_of(m, base + page * PAGE);
            if (live_perm != MF_PERM_NONE) {
                expect_ok(mf_layout_builder_map_region(builder, base + page * PAGE, PAGE,
                                                       (mf_access)live_perm, NULL, 0, NULL));
            }
        }
        expect_ok(mf_layout_builder_finish(builder, &built, NULL, NULL));
        mf_layout_builder_destroy(builder);
        mf_layout *have = live(m);
        expect(mf_layout_equal(built, have) && mf_layout_len(have) == mf_memory_len(m));
        mf_layout_release(built);
        mf_layout_release(have);
    }
    mf_memory_destroy(m);
}

static const test tests[] = {
    TEST(creation_layout_is_known),
    TEST(changes_forget_the_layout),
    TEST(changes_that_change_nothing),
    TEST(sbrk_keeps_the_layout),
    TEST(a_changed_heap_page_freezes_the_heap),
    TEST(a_frozen_heap_at_the_top_is_gone),
    TEST(a_frozen_layout_survives_sbrk),
    TEST(reset_brings_the_layout_back),
    TEST(live_layouts_match_built_ones),
};

int main(void) {
    return RUN_TESTS(tests);
}
