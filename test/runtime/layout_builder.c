/*
 * The builder seals regions, in the order in which they were mapped, into one canonical layout.
 *
 * RUN: %cc %s -o %t %runtime && %t | FileCheck %s
 *
 * CHECK: neighbours_merge
 * CHECK-NEXT: later_regions_overwrite
 * CHECK-NEXT: refusals_change_nothing
 * CHECK-NEXT: heaps
 * CHECK-NEXT: ends_at_the_top
 * CHECK-NEXT: windows_merge_per_operation
 * CHECK-NEXT: no_windows
 * CHECK-NEXT: content_decides_equality
 * CHECK-NEXT: fingerprints_are_stable
 * CHECK-NEXT: four_thousand_regions
 * CHECK-NEXT: the_builder_goes_on
 * CHECK-NEXT: a_layout_begins_another
 * CHECK-NEXT: random_regions_against_a_page_array
 * CHECK-NEXT: on copy
 * CHECK-NEXT: on x86_paged
 */
#include "support.h"

static mf_layout *finished(mf_layout_builder *builder) {
    mf_layout *layout;
    expect_ok(mf_layout_builder_finish(builder, &layout, NULL, NULL));
    return layout;
}

static void map(mf_layout_builder *builder, uint64_t start, uint64_t size, mf_access access) {
    expect_ok(mf_layout_builder_map_region(builder, start, size, access, NULL, 0, NULL));
}

static bool region_is(const mf_layout *layout, size_t index, uint64_t start, uint64_t size,
                      mf_access access) {
    mf_region region = mf_layout_region(layout, index);
    return region.start == start && region.size == size && region.access == access;
}

static void neighbours_merge(void) {
    mf_layout_builder *builder = mf_layout_builder_create();
    map(builder, 2 * PAGE, PAGE, MF_READ_ONLY);
    map(builder, 4 * PAGE, PAGE, MF_READ_ONLY);
    map(builder, 3 * PAGE, PAGE, MF_READ_ONLY);
    map(builder, 5 * PAGE, PAGE, MF_READ_WRITE);
    map(builder, 9 * PAGE, 0, MF_READ_WRITE);
    mf_layout *layout = finished(builder);
    mf_layout_builder_destroy(builder);
    expect(mf_layout_region_count(layout) == 2 && mf_layout_len(layout) == 6 * PAGE);
    expect(region_is(layout, 0, 2 * PAGE, 3 * PAGE, MF_READ_ONLY));
    expect(region_is(layout, 1, 5 * PAGE, PAGE, MF_READ_WRITE));
    expect(mf_layout_perm_of(layout, 2 * PAGE - 1) == MF_PERM_NONE);
    expect(mf_layout_perm_of(layout, 2 * PAGE) == MF_PERM_RO);
    expect(mf_layout_perm_of(layout, 5 * PAGE) == MF_PERM_RW);
    expect(mf_layout_perm_of(layout, 6 * PAGE) == MF_PERM_NONE);
    mf_layout_release(layout);
}

static void later_regions_overwrite(void) {
    mf_layout_builder *builder = mf_layout_builder_create();
    map(builder, 0, 10 * PAGE, MF_READ_ONLY);
    map(builder, 3 * PAGE, 2 * PAGE, MF_READ_WRITE);
    expect(mf_layout_builder_perm_of(builder, 3 * PAGE - 1) == MF_PERM_RO);
    expect(mf_layout_builder_perm_of(builder, 3 * PAGE) == MF_PERM_RW);
    expect(mf_layout_builder_perm_of(builder, 5 * PAGE - 1) == MF_PERM_RW);
    expect(mf_layout_builder_perm_of(builder, 5 * PAGE) == MF_PERM_RO);
    expect(mf_layout_builder_perm_of(builder, 10 * PAGE) == MF_PERM_NONE);
    mf_layout *split = finished(builder);
    expect(mf_layout_region_count(split) == 3 && region_is(split, 2, 5 * PAGE, 5 * PAGE, MF_READ_ONLY));
    map(builder, 3 * PAGE, 2 * PAGE, MF_READ_ONLY);
    mf_layout *whole = finished(builder);
    expect(mf_layout_region_count(whole) == 1 && region_is(whole, 0, 0, 10 * PAGE, MF_READ_ONLY));
    mf_layout_builder_destroy(builder);
    mf_layout_release(split);
    mf_layout_release(whole);
}

static void expect_map_refused(mf_layout_builder *builder, uint64_t start, uint64_t size, mf_status status,
                               uint64_t value) {
    mf_diag diag;
    expect(mf_layout_builder_map_region(builder, start, size, MF_READ_WRITE, "x", 1, &diag) == status);
    expect(diag.status == status && diag.value == value);
}

static void refusals_change_nothing(void) {
    mf_layout_builder *builder = mf_layout_builder_create();
    mf_image *image;
    mf_layout *layout;
    mf_diag diag;
    expect_map_refused(builder, 5, 7, MF_UNALIGNED_START, 5);
    expect_map_refused(builder, PAGE, 7, MF_UNALIGNED_SIZE, 7);
    expect_map_refused(builder, TOP - PAGE, 2 * PAGE, MF_OVERFLOW, TOP + PAGE);
    expect_map_refused(builder, PAGE, UINT64_MAX - PAGE + 1, MF_OVERFLOW, UINT64_MAX);
    expect(mf_layout_builder_set_bytes(builder, TOP - 1, "ab", 2, &diag) == MF_OVERFLOW);
    expect(diag.value == TOP + 1);
    expect(mf_layout_builder_set_bytes(builder, UINT64_MAX, "ab", 2, &diag) == MF_OVERFLOW);
    expect(diag.value == UINT64_MAX);
    expect_ok(mf_layout_builder_finish(builder, &layout, &image, NULL));
    mf_layout_builder_destroy(builder);
    expect(mf_layout_region_count(layout) == 0 && mf_layout_len(layout) == 0);
    mf_memory *m;
    expect_ok(mf_memory_create(layout, image, backend, &m, NULL));
    expect_ok(mf_memory_protect(m, 0, 2 * PAGE, MF_PERM_RO, NULL));
    expect(byte_at(m, PAGE) == 0);
    mf_memory_destroy(m);
    mf_layout_release(layout);
    mf_image_release(image);
}

static void heaps(void) {
    mf_layout_builder *builder = mf_layout_builder_create();
    mf_diag diag;
    expect(mf_layout_builder_set_heap(builder, 5, 1, &diag) == MF_UNALIGNED_START && diag.value == 5);
    expect(mf_layout_builder_set_heap(builder, TOP - PAGE, 2, &diag) == MF_OVERFLOW &&
           diag.value == TOP + PAGE);
    expect(mf_layout_builder_set_heap(builder, 0, UINT64_MAX, &diag) == MF_OVERFLOW);
    expect(mf_layout_builder_set_heap(builder, TOP, 0, &diag) == MF_OVERFLOW && diag.value == TOP);
    expect_ok(mf_layout_builder_set_heap(builder, 0, MF_SPACE_PAGES, NULL));
    mf_layout *layout = finished(builder);
    expect(mf_layout_heap(layout).base == 0 && mf_layout_heap(layout).max_pages == MF_SPACE_PAGES);
    expect(mf_layout_len(layout) == 0 && mf_layout_perm_of(layout, 0) == MF_PERM_NONE);
    mf_layout_release(layout);
    expect_ok(mf_layout_builder_set_heap(builder, 3 * PAGE, 7, NULL));
    layout = finished(builder);
    expect(mf_layout_heap(layout).base == 3 * PAGE && mf_layout_heap(layout).max_pages == 7);
    mf_layout_release(layout);
    mf_layout_builder_destroy(builder);
}

static void ends_at_the_top(void) {
    const mf_region regions[] = {{0, PAGE, MF_READ_ONLY}, {TOP - PAGE, PAGE, MF_READ_WRITE}};
    mf_layout *layout = layout_of(regions, 2, (mf_heap){0});
    expect(mf_layout_len(layout) == TOP && region_is(layout, 1, TOP - PAGE, PAGE, MF_READ_WRITE));
    expect(mf_layout_perm_of(layout, UINT32_MAX) == MF_PERM_RW);
    mf_layout_release(layout);
    layout = layout_of(&(mf_region){0, TOP, MF_READ_WRITE}, 1, (mf_heap){0});
    expect(region_is(layout, 0, 0, TOP, MF_READ_WRITE) && mf_layout_len(layout) == TOP);
    mf_window window;
    expect(mf_layout_window_lookup(layout, MF_STORE, UINT32_MAX, &window));
    expect(window.start == 0 && window.size == TOP);
    expect(!mf_layout_window_lookup(layout, MF_STORE, TOP, &window));
    expect(!mf_layout_window_lookup(layout, MF_LOAD, UINT64_MAX, &window));
    mf_layout_release(layout);
}

static bool window_is(const mf_layout *layout, mf_operation operation, uint64_t from, uint64_t start,
                      uint64_t end) {
    mf_window window;
    return mf_layout_window_lookup(layout, operation, from, &window) && window.start == start &&
           window.size == end - start;
}

static void windows_merge_per_operation(void) {
    const mf_region regions[] = {{1 * PAGE, PAGE, MF_READ_ONLY},
                                 {2 * PAGE, 2 * PAGE, MF_READ_WRITE},
                                 {4 * PAGE, PAGE, MF_READ_ONLY},
                                 {5 * PAGE, PAGE, MF_READ_WRITE},
                                 {9 * PAGE, PAGE, MF_READ_ONLY}};
    mf_layout *layout = layout_of(regions, 5, (mf_heap){6 * PAGE, 1});
    mf_window window;
    expect(window_is(layout, MF_LOAD, 0, PAGE, 6 * PAGE));
    expect(window_is(layout, MF_LOAD, 6 * PAGE - 1, PAGE, 6 * PAGE));
    expect(window_is(layout, MF_LOAD, 6 * PAGE, 9 * PAGE, 10 * PAGE));
    expect(!mf_layout_window_lookup(layout, MF_LOAD, 10 * PAGE, &window));
    expect(window_is(layout, MF_STORE, 0, 2 * PAGE, 4 * PAGE));
    expect(window_is(layout, MF_STORE, 4 * PAGE - 1, 2 * PAGE, 4 * PAGE));
    expect(window_is(layout, MF_STORE, 4 * PAGE, 5 * PAGE, 6 * PAGE));
    expect(!mf_layout_window_lookup(layout, MF_STORE, 6 * PAGE, &window));
    mf_layout_release(layout);
}

static void no_windows(void) {
    mf_layout *layout = layout_of(NULL, 0, (mf_heap){PAGE, 4});
    mf_window window;
    expect(!mf_layout_window_lookup(layout, MF_LOAD, 0, &window));
    expect(!mf_layout_window_lookup(layout, MF_STORE, 0, &window));
    mf_layout_release(layout);
}

static void content_decides_equality(void) {
    const mf_region one = {PAGE, 2 * PAGE, MF_READ_WRITE};
    const mf_region halves[] = {{2 * PAGE, PAGE, MF_READ_WRITE}, {PAGE, PAGE, MF_READ_WRITE}};
    mf_layout *a = layout_of(&one, 1, (mf_heap){PAGE, 3});
    mf_layout *same = layout_of(halves, 2, (mf_heap){PAGE, 3});
    expect(mf_layout_equal(a, same) && mf_layout_fingerprint(a) == mf_layout_fingerprint(same));
    const struct {
        mf_region region;
        mf_heap heap;
    } others[] = {
        {{PAGE, 3 * PAGE, MF_READ_WRITE}, {PAGE, 3}}, {{2 * PAGE, 2 * PAGE, MF_READ_WRITE}, {PAGE, 3}},
        {{PAGE, 2 * PAGE, MF_READ_ONLY}, {PAGE, 3}},  {{PAGE, 2 * PAGE, MF_READ_WRITE}, {PAGE, 4}},
        {{PAGE, 2 * PAGE, MF_READ_WRITE}, {0, 3}},    {{0, 0, MF_READ_WRITE}, {PAGE, 3}}};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        mf_layout *other = layout_of(&others[i].region, 1, others[i].heap);
        expect(!mf_layout_equal(a, other) && !mf_layout_equal(other, a));
        expect(mf_layout_fingerprint(a) != mf_layout_fingerprint(other));
        mf_layout_release(other);
    }
    mf_layout *retained = mf_layout_retain(a);
    expect(retained == a && mf_layout_equal(a, a));
    mf_layout_release(a);
    expect(mf_layout_len(retained) == 3 * PAGE);
    mf_layout_release(retained);
    mf_layout_release(same);
}

/* Emitted objects carry fingerprints, so these values are part of the ABI. */
static void fingerprints_are_stable(void) {
    const mf_region regions[] = {{0x10000, 0x4000, MF_READ_ONLY}, {0x20000, 0x8000, MF_READ_WRITE}};
    mf_layout *empty = layout_of(NULL, 0, (mf_heap){0});
    mf_layout *layout = layout_of(regions, 2, (mf_heap){0x28000, 256});
    expect(mf_layout_fingerprint(empty) == UINT64_C(0x2ea72f02edb0f971));
    expect(mf_layout_fingerprint(layout) == UINT64_C(0xf1eb98c3776147ea));
    mf_layout_release(empty);
    mf_layout_release(layout);
}

static void four_thousand_regions(void) {
    enum { REGIONS = 4096 };
    mf_layout_builder *builder = mf_layout_builder_create();
    for (uint32_t i = REGIONS; i-- > 0;)
        map(builder, (uint64_t)i * 256 * PAGE, (1 + i % 200) * PAGE, i % 3 ? MF_READ_ONLY : MF_READ_WRITE);
    mf_layout *layout = finished(builder);
    mf_layout_builder_destroy(builder);
    expect(mf_layout_region_count(layout) == REGIONS);
    size_t loads = 0, stores = 0;
    mf_window w;
    for (uint64_t from = 0; mf_layout_window_lookup(layout, MF_LOAD, from, &w); from = w.start + w.size) {
        expect(w.start == loads * 256 * PAGE && w.size == (1 + loads % 200) * PAGE);
        loads++;
    }
    for (uint64_t from = 0; mf_layout_window_lookup(layout, MF_STORE, from, &w); from = w.start + w.size) {
        expect(w.start == stores * 3 * 256 * PAGE);
        stores++;
    }
    expect(loads == REGIONS && stores == (REGIONS + 2) / 3);
    for (uint32_t i = 0; i < REGIONS; i++) {
        expect(mf_layout_perm_of(layout, i * 256 * PAGE) == (i % 3 ? MF_PERM_RO : MF_PERM_RW));
        expect(mf_layout_perm_of(layout, (i * 256 + 1 + i % 200) * PAGE) == MF_PERM_NONE);
    }
    mf_layout_release(layout);
}

/* What was finished is immutable; images share bytes with the builder and with each other. */
static void the_builder_goes_on(void) {
    mf_layout_builder *builder = mf_layout_builder_create();
    mf_layout *first_layout, *second_layout;
    mf_image *first_image, *second_image;
    mf_memory *first, *second;
    expect_ok(mf_layout_builder_map_region(builder, 0, PAGE, MF_READ_ONLY, "one", 3, NULL));
    expect_ok(mf_layout_builder_finish(builder, &first_layout, &first_image, NULL));
    expect_ok(mf_layout_builder_set_bytes(builder, 1, "TWO", 3, NULL));
    map(builder, PAGE, PAGE, MF_READ_ONLY);
    expect_ok(mf_layout_builder_finish(builder, &second_layout, &second_image, NULL));
    mf_layout_builder_destroy(builder);
    expect_ok(mf_memory_create(first_layout, first_image, backend, &first, NULL));
    mf_layout_release(first_layout);
    mf_image_release(first_image);
    expect_ok(mf_memory_create(second_layout, second_image, backend, &second, NULL));
    mf_layout_release(second_layout);
    mf_image_release(second_image);
    char text[5] = {0};
    expect(mf_memory_read(first, 0, text, 4) && strcmp(text, "one") == 0 && mf_memory_len(first) == PAGE);
    expect(mf_memory_read(second, 0, text, 4) && strcmp(text, "oTWO") == 0);
    expect(mf_memory_len(second) == 2 * PAGE);
    mf_memory_destroy(first);
    mf_memory_destroy(second);
}

static void expect_canonical(const mf_layout *layout, const uint8_t *pages, uint32_t count, uint32_t base) {
    mf_region before = {0, 0, MF_READ_ONLY};
    uint32_t mapped = 0;
    for (size_t i = 0; i < mf_layout_region_count(layout); i++) {
        mf_region region = mf_layout_region(layout, i);
        expect(i == 0 || before.start + before.size < region.start ||
               (before.start + before.size == region.start && before.access != region.access));
        for (uint64_t page = region.start / PAGE; page < (region.start + region.size) / PAGE; page++) {
            expect(page >= base && page - base < count && pages[page - base] == (uint8_t)region.access);
            mapped++;
        }
        before = region;
    }
    for (uint32_t page = 0; page < count; page++) {
        expect(mf_layout_perm_of(layout, (base + page) * PAGE + page) == pages[page]);
        mapped -= pages[page] != MF_PERM_NONE;
    }
    expect(mapped == 0);
}

/* Pages of the second's own, before, between and after those of the first, and the heap of either. */
static void a_layout_begins_another(void) {
    static unsigned char code[20 * PAGE], read[20 * PAGE];
    mf_layout_builder *first = mf_layout_builder_create(), *second = mf_layout_builder_create();
    mf_layout *program, *guest;
    mf_image *program_bytes, *guest_bytes;
    mf_memory *memory;
    for (size_t i = 0; i < sizeof code; i++)
        code[i] = (unsigned char)(i * 7 + 1);
    expect_ok(
        mf_layout_builder_map_region(first, 16 * PAGE, 20 * PAGE, MF_READ_ONLY, code, sizeof code, NULL));
    expect_ok(mf_layout_builder_map_region(first, 40 * PAGE, PAGE, MF_READ_WRITE, "data", 5, NULL));
    expect_ok(mf_layout_builder_set_bytes(first, 60 * PAGE, "of no page", 11, NULL));
    expect_ok(mf_layout_builder_set_heap(first, 50 * PAGE, 4, NULL));
    expect_ok(mf_layout_builder_finish(first, &program, &program_bytes, NULL));
    expect_ok(mf_layout_builder_add(second, program, program_bytes, NULL));
    map(second, 60 * PAGE, PAGE, MF_READ_WRITE);
    expect_ok(mf_layout_builder_map_region(second, 41 * PAGE, PAGE, MF_READ_WRITE, "stack", 6, NULL));
    expect_ok(mf_layout_builder_finish(second, &guest, &guest_bytes, NULL));
    expect(mf_layout_region_count(guest) == 3 && region_is(guest, 1, 40 * PAGE, 2 * PAGE, MF_READ_WRITE));
    expect(mf_layout_heap(guest).base == 50 * PAGE && mf_layout_heap(guest).max_pages == 4);
    expect_ok(mf_memory_create(guest, guest_bytes, MF_BACKEND_COPY, &memory, NULL));
    expect(mf_memory_read(memory, 16 * PAGE, read, sizeof read) && memcmp(read, code, sizeof code) == 0);
    expect(mf_memory_read(memory, 40 * PAGE, read, PAGE + 6) && strcmp((char *)read, "data") == 0 &&
           strcmp((char *)read + PAGE, "stack") == 0);
    expect(mf_memory_read(memory, 60 * PAGE, read, 11) && read[0] == 0);
    mf_memory_destroy(memory);

    expect_ok(mf_layout_builder_set_heap(second, 48 * PAGE, 9, NULL));
    mf_layout_release(program);
    mf_layout_builder *empty = mf_layout_builder_create();
    program = finished(empty);
    mf_layout_builder_destroy(empty);
    expect_ok(mf_layout_builder_add(second, program, NULL, NULL));
    mf_layout_release(guest);
    guest = finished(second);
    expect(mf_layout_region_count(guest) == 3 && mf_layout_heap(guest).base == 48 * PAGE);
    mf_layout_builder_destroy(first);
    mf_layout_builder_destroy(second);
    mf_layout_release(program);
    mf_layout_release(guest);
    mf_image_release(program_bytes);
    mf_image_release(guest_bytes);
}

static void random_regions_against_a_page_array(void) {
    enum { PAGES = 300 };
    uint64_t random = 99;
    for (int round = 0; round < 300; round++) {
        uint8_t pages[PAGES] = {0};
        uint32_t base = round % 2 == 0 ? 0 : MF_SPACE_PAGES - PAGES;
        mf_layout_builder *builder = mf_layout_builder_create();
        uint64_t regions = next_random(&random) % 60;
        for (uint64_t i = 0; i < regions; i++) {
            uint32_t first = (uint32_t)(next_random(&random) % PAGES);
            uint32_t most = PAGES - first < 40 ? PAGES - first : 40;
            uint32_t count = (uint32_t)(next_random(&random) % (most + 1));
            mf_access access = next_random(&random) % 2 ? MF_READ_ONLY : MF_READ_WRITE;
            map(builder, (uint64_t)(base + first) * PAGE, (uint64_t)count * PAGE, access);
            memset(pages + first, (int)access, count);
        }
        for (uint32_t page = 0; page < PAGES; page++)
            expect(mf_layout_builder_perm_of(builder, (base + page) * PAGE) == pages[page]);
        mf_layout *layout = finished(builder);
        expect_canonical(layout, pages, PAGES, base);
        mf_layout_builder_destroy(builder);
        mf_layout_release(layout);
    }
}

static const test tests[] = {
    TEST(neighbours_merge),
    TEST(later_regions_overwrite),
    TEST(refusals_change_nothing),
    TEST(heaps),
    TEST(ends_at_the_top),
    TEST(windows_merge_per_operation),
    TEST(no_windows),
    TEST(content_decides_equality),
    TEST(fingerprints_are_stable),
    TEST(four_thousand_regions),
    TEST(the_builder_goes_on),
    TEST(a_layout_begins_another),
    TEST(random_regions_against_a_page_array),
};

int main(void) {
    return RUN_TESTS(tests);
}
