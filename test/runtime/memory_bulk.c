/*
 * Bulk accesses: all or nothing, and the fault contract over the whole range.
 *
 * RUN: %cc %s -o %t %runtime && %t | FileCheck %s
 *
 * CHECK: length_zero_always_succeeds
 * CHECK-NEXT: empty_ranges_within_what_is_accessible
 * CHECK-NEXT: empty_ranges_follow_the_memory
 * CHECK-NEXT: empty_ranges_of_clones_and_views
 * CHECK-NEXT: both_ends_of_the_space
 * CHECK-NEXT: past_the_top
 * CHECK-NEXT: huge_lengths
 * CHECK-NEXT: nothing_happens_on_a_fault
 * CHECK-NEXT: lowest_inaccessible_page
 * CHECK-NEXT: copy_checks_the_source_first
 * CHECK-NEXT: copy_overlaps_both_ways
 * CHECK-NEXT: spans
 * CHECK-NEXT: success_leaves_the_record
 * CHECK-NEXT: every_range_against_the_byte_rule
 * CHECK-NEXT: on copy
 * CHECK-NEXT: on x86_paged
 */
#include "support.h"

static void length_zero_always_succeeds(void) {
    mf_memory *m = memory_of(NULL, 0, (mf_heap){0});
    const uint32_t addresses[] = {0, 1, PAGE, UINT32_MAX};
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        uint32_t at = addresses[i];
        expect(mf_memory_read(m, at, NULL, 0) && mf_memory_write(m, at, NULL, 0));
        expect(mf_memory_fill(m, at, 1, 0) && mf_memory_copy(m, at, at, 0));
        expect(mf_memory_span(m, at, 0, MF_STORE) != NULL);
        expect(mf_memory_is_accessible(m, at, 0, MF_LOAD) && mf_memory_is_accessible(m, at, 0, MF_STORE));
    }
    expect(mf_memory_last_fault(m).kind == MF_FAULT_NONE);
    mf_memory_destroy(m);
}

/* ---- Empty ranges that must lie within what is accessible ---- */

static mf_memory *memory_within(const mf_region *regions, size_t count, mf_heap heap) {
    mf_layout *layout = layout_of(regions, count, heap);
    const mf_memory_config config = {.backend = backend, .empty_range = MF_EMPTY_WITHIN};
    mf_memory *memory;
    expect_ok(mf_memory_create_with(layout, NULL, &config, &memory, NULL));
    mf_layout_release(layout);
    return memory;
}

/* What span says of an empty range, its record, and that every other operation says the same. */
static bool empty_passes(mf_memory *m, uint64_t at, mf_operation operation) {
    uint32_t address = (uint32_t)at;
    memset(&mf_memory_view(m)->fault, 0, sizeof(mf_fault));
    bool passes = mf_memory_is_accessible(m, address, 0, operation);
    expect(mf_memory_last_fault(m).kind == MF_FAULT_NONE);
    expect((mf_memory_span(m, address, 0, operation) != NULL) == passes);
    mf_fault fault = mf_memory_last_fault(m);
    expect(passes ? fault.kind == MF_FAULT_NONE
                  : fault_is(fault, MF_PAGE_FAULT, operation, address / PAGE * PAGE, address, 0));
    if (operation == MF_LOAD) {
        expect(mf_memory_read(m, address, NULL, 0) == passes);
    } else {
        expect(mf_memory_write(m, address, NULL, 0) == passes);
        expect(mf_memory_fill(m, address, 1, 0) == passes);
    }
    expect(memcmp(&mf_memory_view(m)->fault, &fault, sizeof fault) == 0);
    return passes;
}

/* Up to `end`, itself included, and not one byte further. */
static bool empties_end_at(mf_memory *m, uint64_t end, mf_operation operation) {
    bool above = end < UINT32_MAX && empty_passes(m, end + 1, operation);
    bool far_above = end < UINT32_MAX && empty_passes(m, UINT32_MAX, operation);
    return (end == TOP || empty_passes(m, end, operation)) && empty_passes(m, 0, operation) &&
           empty_passes(m, end / 2, operation) && (end == 0 || empty_passes(m, end - 1, operation)) &&
           !above && !far_above;
}

static void empty_ranges_within_what_is_accessible(void) {
    const mf_region holed[] = {{2 * PAGE, PAGE, MF_READ_WRITE},
                               {40 * PAGE, 2 * PAGE, MF_READ_WRITE},
                               {50 * PAGE, 30 * PAGE, MF_READ_ONLY}};
    const mf_region top = {TOP - PAGE, PAGE, MF_READ_WRITE};
    const mf_region low = {0, PAGE, MF_READ_ONLY};
    mf_memory *m = memory_within(holed, 3, (mf_heap){0});
    expect(empties_end_at(m, 80 * PAGE, MF_LOAD) && empties_end_at(m, 42 * PAGE, MF_STORE));
    expect(mf_memory_copy(m, 42 * PAGE, 80 * PAGE, 0));
    expect(!mf_memory_copy(m, 42 * PAGE, 80 * PAGE + 1, 0));
    expect(fault_is(mf_memory_last_fault(m), MF_PAGE_FAULT, MF_LOAD, 80 * PAGE, 80 * PAGE + 1, 0));
    expect(!mf_memory_copy(m, 42 * PAGE + 1, 80 * PAGE, 0));
    expect(fault_is(mf_memory_last_fault(m), MF_PAGE_FAULT, MF_STORE, 42 * PAGE, 42 * PAGE + 1, 0));
    /* Where the page can be read, it is a page fault all the same. */
    expect(!mf_memory_fill(m, 60 * PAGE, 1, 0));
    expect(fault_is(mf_memory_last_fault(m), MF_PAGE_FAULT, MF_STORE, 60 * PAGE, 60 * PAGE, 0));
    mf_memory_destroy(m);
    m = memory_within(&top, 1, (mf_heap){0});
    expect(empties_end_at(m, TOP, MF_LOAD) && empties_end_at(m, TOP, MF_STORE));
    expect(empty_passes(m, UINT32_MAX, MF_STORE) && empty_passes(m, UINT32_MAX, MF_LOAD));
    mf_memory_destroy(m);
    m = memory_within(&low, 1, (mf_heap){0});
    expect(empties_end_at(m, PAGE, MF_LOAD) && empties_end_at(m, 0, MF_STORE));
    mf_memory_destroy(m);
    m = memory_within(NULL, 0, (mf_heap){0});
    expect(empties_end_at(m, 0, MF_LOAD) && empties_end_at(m, 0, MF_STORE));
    mf_memory_destroy(m);
}

static void empty_ranges_follow_the_memory(void) {
    const mf_region region = {0, PAGE, MF_READ_WRITE};
    mf_memory *m = memory_within(&region, 1, (mf_heap){8 * PAGE, 16});
    uint64_t old;
    expect(empties_end_at(m, PAGE, MF_LOAD) && empties_end_at(m, PAGE, MF_STORE));
    expect_ok(mf_memory_sbrk(m, 3 * PAGE + 1, &old, NULL));
    expect(empties_end_at(m, 12 * PAGE, MF_LOAD) && empties_end_at(m, 12 * PAGE, MF_STORE));
    expect_ok(mf_memory_protect(m, 9 * PAGE, 3 * PAGE, MF_PERM_RO, NULL));
    expect(empties_end_at(m, 12 * PAGE, MF_LOAD) && empties_end_at(m, 9 * PAGE, MF_STORE));
    expect_ok(mf_memory_unmap(m, 8 * PAGE, 4 * PAGE, NULL));
    expect(empties_end_at(m, PAGE, MF_LOAD) && empties_end_at(m, PAGE, MF_STORE));
    expect_ok(mf_memory_map_region(m, TOP - PAGE, PAGE, MF_READ_ONLY, NULL, 0, NULL));
    expect(empties_end_at(m, TOP, MF_LOAD) && empties_end_at(m, PAGE, MF_STORE));
    expect_ok(mf_memory_reset(m, NULL));
    expect(empties_end_at(m, PAGE, MF_LOAD) && empties_end_at(m, PAGE, MF_STORE));
    mf_memory_destroy(m);
}

static void empty_ranges_of_clones_and_views(void) {
    const mf_region region = {0, PAGE, MF_READ_WRITE};
    mf_memory *m = memory_within(&region, 1, (mf_heap){0}), *clone;
    mf_view view;
    expect_ok(mf_memory_clone(m, &clone, NULL));
    expect(empties_end_at(clone, PAGE, MF_STORE));
    mf_view_attach(&view, m);
    expect(mf_view_read(&view, PAGE, NULL, 0) && !mf_view_read(&view, PAGE + 1, NULL, 0));
    expect(fault_is(view.fault, MF_PAGE_FAULT, MF_LOAD, PAGE, PAGE + 1, 0));
    expect(mf_memory_last_fault(m).kind == MF_FAULT_NONE);
    mf_view_detach(&view);
    mf_memory_destroy(clone);
    mf_memory_destroy(m);
}

static void both_ends_of_the_space(void) {
    const mf_region regions[] = {{0, PAGE, MF_READ_WRITE}, {TOP - PAGE, PAGE, MF_READ_WRITE}};
    mf_memory *m = memory_of(regions, 2, (mf_heap){0});
    expect(mf_memory_write(m, 0, "low", 3) && mf_memory_write(m, UINT32_MAX - 3, "high", 4));
    char text[5] = {0};
    expect(mf_memory_read(m, UINT32_MAX - 3, text, 4) && strcmp(text, "high") == 0);
    expect(mf_memory_copy(m, UINT32_MAX - 2, 0, 3) && byte_at(m, UINT32_MAX) == 'w');
    expect(mf_memory_fill(m, (uint32_t)(TOP - PAGE), 7, PAGE) && byte_at(m, UINT32_MAX) == 7);
    expect(byte_at(m, 0) == 'l');
    mf_memory_destroy(m);
}

static void past_the_top(void) {
    const mf_region region = {0, TOP, MF_READ_WRITE};
    mf_memory *m = memory_of(&region, 1, (mf_heap){0});
    uint8_t two[2] = {1, 2};
    expect(!mf_memory_write(m, UINT32_MAX, two, 2));
    expect(fault_is(mf_memory_last_fault(m), MF_PAGE_FAULT, MF_STORE, TOP, UINT32_MAX, 2));
    expect(byte_at(m, UINT32_MAX) == 0 && byte_at(m, 0) == 0);
    expect(!mf_memory_read(m, UINT32_MAX, two, 2));
    expect(fault_is(mf_memory_last_fault(m), MF_PAGE_FAULT, MF_LOAD, TOP, UINT32_MAX, 2));
    expect(two[0] == 1 && two[1] == 2);
    expect(mf_memory_is_accessible(m, 0, TOP, MF_STORE));
    expect(!mf_memory_is_accessible(m, 0, TOP + 1, MF_LOAD));
    expect(!mf_memory_is_accessible(m, 1, TOP, MF_LOAD));
    mf_memory_destroy(m);
}

static void huge_lengths(void) {
    const mf_region region = {0, TOP, MF_READ_WRITE};
    mf_memory *m = memory_of(&region, 1, (mf_heap){0});
    uint8_t byte = 0;
    expect(!mf_memory_read(m, 5, &byte, SIZE_MAX));
    expect(fault_is(mf_memory_last_fault(m), MF_PAGE_FAULT, MF_LOAD, TOP, 5, UINT64_MAX));
    expect(!mf_memory_fill(m, UINT32_MAX, 1, UINT64_MAX));
    expect(fault_is(mf_memory_last_fault(m), MF_PAGE_FAULT, MF_STORE, TOP, UINT32_MAX, UINT64_MAX));
    expect(!mf_memory_copy(m, 0, 0, UINT64_MAX - 1));
    expect(fault_is(mf_memory_last_fault(m), MF_PAGE_FAULT, MF_LOAD, TOP, 0, UINT64_MAX - 1));
    expect(mf_memory_span(m, 1, UINT64_MAX, MF_STORE) == NULL);
    expect(byte_at(m, UINT32_MAX) == 0);
    expect_ok(mf_memory_protect(m, 3 * PAGE, PAGE, MF_PERM_RO, NULL));
    expect(!mf_memory_write(m, 5, &byte, SIZE_MAX));
    expect(fault_is(mf_memory_last_fault(m), MF_WRITE_PROTECTED, MF_STORE, 3 * PAGE, 5, UINT64_MAX));
    mf_memory_destroy(m);
}

static void nothing_happens_on_a_fault(void) {
    const mf_region region = {0, 2 * PAGE, MF_READ_WRITE};
    mf_memory *m = memory_of(&region, 1, (mf_heap){0});
    static uint8_t ones[2 * MF_PAGE_SIZE];
    memset(ones, 1, sizeof ones);
    expect(!mf_memory_write(m, PAGE, ones, sizeof ones));
    expect(!mf_memory_fill(m, PAGE, 1, PAGE + 1));
    expect(!mf_memory_copy(m, PAGE + 1, 0, PAGE));
    for (uint32_t i = 0; i < 2 * PAGE; i++)
        expect(byte_at(m, i) == 0);
    expect(mf_memory_fill(m, 0, 9, 2 * PAGE));
    expect(!mf_memory_read(m, 1, ones, 2 * PAGE));
    expect(ones[0] == 1 && ones[2 * PAGE - 1] == 1);
    mf_memory_destroy(m);
}

static void lowest_inaccessible_page(void) {
    const mf_region regions[] = {
        {0, 20 * PAGE, MF_READ_WRITE}, {20 * PAGE, PAGE, MF_READ_ONLY}, {22 * PAGE, PAGE, MF_READ_ONLY}};
    mf_memory *m = memory_of(regions, 3, (mf_heap){0});
    expect(!mf_memory_fill(m, 3, 1, 23 * PAGE - 3));
    expect(fault_is(mf_memory_last_fault(m), MF_WRITE_PROTECTED, MF_STORE, 20 * PAGE, 3, 23 * PAGE - 3));
    uint8_t bytes[3 * MF_PAGE_SIZE];
    expect(!mf_memory_read(m, 20 * PAGE + 5, bytes, 2 * PAGE));
    expect(fault_is(mf_memory_last_fault(m), MF_PAGE_FAULT, MF_LOAD, 21 * PAGE, 20 * PAGE + 5, 2 * PAGE));
    expect(!mf_memory_fill(m, 21 * PAGE + 5, 1, PAGE));
    expect(fault_is(mf_memory_last_fault(m), MF_PAGE_FAULT, MF_STORE, 21 * PAGE, 21 * PAGE + 5, PAGE));
    /* More pages of one permission than any scan takes at a time. */
    expect_ok(mf_memory_protect(m, 0, 20 * PAGE, MF_PERM_RO, NULL));
    expect(mf_memory_is_accessible(m, 0, 20 * PAGE, MF_LOAD));
    expect(!mf_memory_fill(m, PAGE + 1, 1, 18 * PAGE));
    expect(fault_is(mf_memory_last_fault(m), MF_WRITE_PROTECTED, MF_STORE, PAGE, PAGE + 1, 18 * PAGE));
    expect_ok(mf_memory_protect(m, 0, 20 * PAGE, MF_PERM_NONE, NULL));
    expect(!mf_memory_read(m, PAGE + 1, bytes, 2 * PAGE) && !mf_memory_fill(m, PAGE, 1, 18 * PAGE));
    expect(fault_is(mf_memory_last_fault(m), MF_PAGE_FAULT, MF_STORE, PAGE, PAGE, 18 * PAGE));
    mf_memory_destroy(m);
}

static void copy_checks_the_source_first(void) {
    const mf_region regions[] = {{0, PAGE, MF_READ_ONLY}, {2 * PAGE, PAGE, MF_READ_WRITE}};
    mf_memory *m = memory_of(regions, 2, (mf_heap){0});
    expect(!mf_memory_copy(m, 10, PAGE - 1, 2));
    expect(fault_is(mf_memory_last_fault(m), MF_PAGE_FAULT, MF_LOAD, PAGE, PAGE - 1, 2));
    expect(!mf_memory_copy(m, 10, 0, 4));
    expect(fault_is(mf_memory_last_fault(m), MF_WRITE_PROTECTED, MF_STORE, 0, 10, 4));
    expect(mf_memory_copy(m, 2 * PAGE, 0, PAGE));
    mf_memory_destroy(m);
}

static void copy_overlaps_both_ways(void) {
    const mf_region region = {0, 2 * PAGE, MF_READ_WRITE};
    mf_memory *m = memory_of(&region, 1, (mf_heap){0});
    char text[11] = {0};
    expect(mf_memory_write(m, PAGE - 3, "0123456789", 10));
    expect(mf_memory_copy(m, PAGE - 1, PAGE - 3, 8));
    expect(mf_memory_read(m, PAGE - 3, text, 10) && strcmp(text, "0101234567") == 0);
    expect(mf_memory_copy(m, PAGE - 3, PAGE - 1, 8));
    expect(mf_memory_read(m, PAGE - 3, text, 10) && strcmp(text, "0123456767") == 0);
    expect(mf_memory_copy(m, PAGE, PAGE, 5) && byte_at(m, PAGE) == '3');
    mf_memory_destroy(m);
}

static void spans(void) {
    const mf_region regions[] = {{0, PAGE, MF_READ_WRITE}, {PAGE, PAGE, MF_READ_ONLY}};
    mf_memory *m = memory_of(regions, 2, (mf_heap){0});
    uint8_t *bytes = mf_memory_span(m, 8, 16, MF_STORE);
    expect(bytes == mf_memory_view(m)->base + 8);
    bytes[15] = 0x5a;
    expect(byte_at(m, 23) == 0x5a);
    expect(mf_memory_span(m, PAGE - 1, 2, MF_LOAD) != NULL);
    expect(mf_memory_last_fault(m).kind == MF_FAULT_NONE);
    expect(mf_memory_span(m, PAGE - 1, 2, MF_STORE) == NULL);
    expect(fault_is(mf_memory_last_fault(m), MF_WRITE_PROTECTED, MF_STORE, PAGE, PAGE - 1, 2));
    mf_memory_destroy(m);
}

static void success_leaves_the_record(void) {
    const mf_region region = {0, PAGE, MF_READ_WRITE};
    mf_memory *m = memory_of(&region, 1, (mf_heap){0});
    expect(!mf_memory_is_accessible(m, PAGE, 1, MF_LOAD));
    expect(mf_memory_last_fault(m).kind == MF_FAULT_NONE);
    expect(!mf_memory_fill(m, PAGE, 0, 3));
    expect(mf_memory_fill(m, 0, 0, 3) && mf_memory_copy(m, 0, 8, 8));
    expect(fault_is(mf_memory_last_fault(m), MF_PAGE_FAULT, MF_STORE, PAGE, PAGE, 3));
    mf_memory_destroy(m);
}

/* Random permissions, and the contract spelled out page by page, around the top and around 0. */
static void every_range_against_the_byte_rule(void) {
    enum { PAGES = 24 };
    uint64_t random = 77;
    mf_memory *m = memory_of(NULL, 0, (mf_heap){0});
    for (int round = 0; round < 20000; round++) {
        uint32_t low = round % 2 == 0 ? 0 : MF_SPACE_PAGES - PAGES;
        mf_perm perm = (mf_perm)(next_random(&random) % 3);
        uint32_t changed = low + (uint32_t)(next_random(&random) % PAGES);
        expect_ok(mf_memory_protect(m, (uint64_t)changed * PAGE, PAGE, perm, NULL));
        uint32_t address = low * PAGE + (uint32_t)(next_random(&random) % (PAGES * PAGE));
        uint64_t length = 1 + next_random(&random) % (next_random(&random) % 2 ? 6 * PAGE : 4);
        mf_operation operation = (mf_operation)(next_random(&random) % 2);
        uint64_t page = address / PAGE, last = (address + length - 1) / PAGE;
        mf_perm least = operation == MF_STORE ? MF_PERM_RW : MF_PERM_RO;
        while (page <= last && page < MF_SPACE_PAGES &&
               mf_memory_perm_of(m, (uint32_t)(page * PAGE)) >= least) {
            page++;
        }
        bool allowed = page > last;
        expect(mf_memory_is_accessible(m, address, length, operation) == allowed);
        expect((mf_memory_span(m, address, length, operation) != NULL) == allowed);
        if (!allowed) {
            bool read_only =
                page < MF_SPACE_PAGES && mf_memory_perm_of(m, (uint32_t)(page * PAGE)) == MF_PERM_RO;
            expect(fault_is(mf_memory_last_fault(m), read_only ? MF_WRITE_PROTECTED : MF_PAGE_FAULT,
                            operation, page * PAGE, address, length));
        }
    }
    mf_memory_destroy(m);
}

static const test tests[] = {
    TEST(length_zero_always_succeeds),
    TEST(empty_ranges_within_what_is_accessible),
    TEST(empty_ranges_follow_the_memory),
    TEST(empty_ranges_of_clones_and_views),
    TEST(both_ends_of_the_space),
    TEST(past_the_top),
    TEST(huge_lengths),
    TEST(nothing_happens_on_a_fault),
    TEST(lowest_inaccessible_page),
    TEST(copy_checks_the_source_first),
    TEST(copy_overlaps_both_ways),
    TEST(spans),
    TEST(success_leaves_the_record),
    TEST(every_range_against_the_byte_rule),
};

int main(void) {
    return RUN_TESTS(tests);
}
