/*
 * map_region, protect, unmap and sbrk: permissions, bytes, refusals.
 *
 * RUN: %cc %s -o %t %runtime && %t | FileCheck %s
 *
 * CHECK: map_keeps_bytes_except_init
 * CHECK-NEXT: protect_keeps_bytes
 * CHECK-NEXT: unmap_zeroes_bytes
 * CHECK-NEXT: ranges_are_checked
 * CHECK-NEXT: size_zero_does_nothing
 * CHECK-NEXT: len_follows_the_highest_page
 * CHECK-NEXT: sbrk_grows_by_bytes
 * CHECK-NEXT: sbrk_zeroes_its_pages
 * CHECK-NEXT: sbrk_refuses
 * CHECK-NEXT: sbrk_up_to_the_top
 * CHECK-NEXT: sbrk_without_heap
 * CHECK-NEXT: on copy
 * CHECK-NEXT: on x86_paged
 */
#include "support.h"

static void map_keeps_bytes_except_init(void) {
    const mf_region region = {PAGE, 3 * PAGE, MF_READ_WRITE};
    mf_memory *m = memory_of(&region, 1, (mf_heap){0});
    expect(mf_memory_fill(m, PAGE, 0x11, 3 * PAGE));
    expect_ok(mf_memory_map_region(m, 2 * PAGE, 2 * PAGE, MF_READ_ONLY, "ab", 2, NULL));
    expect(byte_at(m, 2 * PAGE) == 'a' && byte_at(m, 2 * PAGE + 1) == 'b');
    expect(byte_at(m, 2 * PAGE + 2) == 0x11 && byte_at(m, 4 * PAGE - 1) == 0x11);
    expect(mf_memory_perm_of(m, PAGE) == MF_PERM_RW && mf_memory_perm_of(m, 2 * PAGE) == MF_PERM_RO);
    expect_ok(mf_memory_map_region(m, 2 * PAGE, PAGE, MF_READ_ONLY, "c", 1, NULL));
    expect(byte_at(m, 2 * PAGE) == 'c' && byte_at(m, 2 * PAGE + 1) == 'b');
    mf_memory_destroy(m);
}

static void protect_keeps_bytes(void) {
    const mf_region region = {0, PAGE, MF_READ_WRITE};
    mf_memory *m = memory_of(&region, 1, (mf_heap){0});
    set_byte(m, 10, 0x42);
    const mf_perm order[] = {MF_PERM_NONE, MF_PERM_RO, MF_PERM_NONE, MF_PERM_RW, MF_PERM_RO, MF_PERM_RW};
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        expect_ok(mf_memory_protect(m, 0, PAGE, order[i], NULL));
        expect(mf_memory_perm_of(m, 0) == order[i]);
        expect(order[i] == MF_PERM_NONE || byte_at(m, 10) == 0x42);
        expect(mf_memory_is_accessible(m, 10, 1, MF_STORE) == (order[i] == MF_PERM_RW));
    }
    /* Any page: also one that never was a region, far above. */
    expect_ok(mf_memory_protect(m, 0x80000000, PAGE, MF_PERM_RW, NULL));
    set_byte(m, 0x80000fff, 1);
    expect(mf_memory_len(m) == 0x80001000);
    mf_memory_destroy(m);
}

static void unmap_zeroes_bytes(void) {
    const mf_region region = {0, 3 * PAGE, MF_READ_WRITE};
    mf_memory *m = memory_of(&region, 1, (mf_heap){0});
    expect(mf_memory_fill(m, 0, 0x33, 3 * PAGE));
    expect_ok(mf_memory_unmap(m, PAGE, PAGE, NULL));
    expect(mf_memory_perm_of(m, PAGE) == MF_PERM_NONE);
    expect(byte_at(m, PAGE - 1) == 0x33 && byte_at(m, 2 * PAGE) == 0x33);
    expect_ok(mf_memory_protect(m, PAGE, PAGE, MF_PERM_RO, NULL));
    expect(byte_at(m, PAGE) == 0 && byte_at(m, 2 * PAGE - 1) == 0);
    /* The bytes of a page that had already lost its permission go as well. */
    expect_ok(mf_memory_protect(m, 0, PAGE, MF_PERM_NONE, NULL));
    expect_ok(mf_memory_unmap(m, 0, PAGE, NULL));
    expect_ok(mf_memory_protect(m, 0, PAGE, MF_PERM_RO, NULL));
    expect(byte_at(m, 0) == 0);
    /* Far above everything that exists. */
    expect_ok(mf_memory_unmap(m, 3 * PAGE, TOP - 3 * PAGE, NULL));
    expect(mf_memory_len(m) == 3 * PAGE && byte_at(m, 2 * PAGE) == 0x33);
    mf_memory_destroy(m);
}

typedef mf_status page_call(mf_memory *memory, uint64_t start, uint64_t size, mf_diag *diag);

static mf_status map_call(mf_memory *memory, uint64_t start, uint64_t size, mf_diag *diag) {
    return mf_memory_map_region(memory, start, size, MF_READ_WRITE, "x", 1, diag);
}

static mf_status protect_call(mf_memory *memory, uint64_t start, uint64_t size, mf_diag *diag) {
    return mf_memory_protect(memory, start, size, MF_PERM_NONE, diag);
}

static const struct {
    const char *name;
    page_call *call;
} page_calls[] = {{"map", map_call}, {"protect", protect_call}, {"unmap", mf_memory_unmap}};

static void ranges_are_checked(void) {
    static const struct {
        uint64_t start, size;
        mf_status status;
        uint64_t value;
    } cases[] = {
        {1, PAGE, MF_UNALIGNED_START, 1},
        {PAGE - 1, 5, MF_UNALIGNED_START, PAGE - 1},
        {UINT64_MAX, PAGE, MF_UNALIGNED_START, UINT64_MAX},
        {0, 1, MF_UNALIGNED_SIZE, 1},
        {TOP, PAGE + 8, MF_UNALIGNED_SIZE, PAGE + 8},
        {TOP, PAGE, MF_OVERFLOW, TOP + PAGE},
        {TOP - PAGE, 2 * PAGE, MF_OVERFLOW, TOP + PAGE},
        {TOP + PAGE, 0, MF_OVERFLOW, TOP + PAGE},
        {UINT64_MAX - PAGE + 1, PAGE, MF_OVERFLOW, UINT64_MAX},
        {2 * PAGE, UINT64_MAX - PAGE + 1, MF_OVERFLOW, UINT64_MAX},
    };
    const mf_region region = {0, PAGE, MF_READ_ONLY};
    mf_memory *m = memory_of(&region, 1, (mf_heap){0});
    for (size_t c = 0; c < sizeof page_calls / sizeof page_calls[0]; c++) {
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            mf_diag diag = {0};
            expect(page_calls[c].call(m, cases[i].start, cases[i].size, &diag) == cases[i].status);
            expect(diag.status == cases[i].status && diag.value == cases[i].value);
            expect(diag.message[0] != '\0' && diag.line == 0 && diag.file[0] == '\0');
        }
    }
    expect(mf_memory_perm_of(m, 0) == MF_PERM_RO && mf_memory_len(m) == PAGE && byte_at(m, 0) == 0);
    mf_memory_destroy(m);
}

static void size_zero_does_nothing(void) {
    const mf_region region = {0, PAGE, MF_READ_ONLY};
    mf_memory *m = memory_of(&region, 1, (mf_heap){0});
    uint64_t fingerprint = mf_memory_view(m)->layout_stamp;
    for (size_t c = 0; c < sizeof page_calls / sizeof page_calls[0]; c++) {
        expect_ok(page_calls[c].call(m, 0, 0, NULL));
        expect_ok(page_calls[c].call(m, TOP, 0, NULL));
    }
    expect(mf_memory_perm_of(m, 0) == MF_PERM_RO && byte_at(m, 0) == 0);
    expect(mf_memory_len(m) == PAGE && mf_memory_view(m)->layout_stamp == fingerprint);
    mf_memory_destroy(m);
}

static void len_follows_the_highest_page(void) {
    const mf_region regions[] = {{PAGE, PAGE, MF_READ_ONLY}, {17 * PAGE, PAGE, MF_READ_ONLY}};
    mf_memory *m = memory_of(regions, 2, (mf_heap){0});
    expect(mf_memory_len(m) == 18 * PAGE);
    expect_ok(mf_memory_map_region(m, TOP - PAGE, PAGE, MF_READ_WRITE, NULL, 0, NULL));
    expect(mf_memory_len(m) == TOP && mf_memory_is_in_bounds(m, UINT32_MAX));
    expect_ok(mf_memory_protect(m, TOP - PAGE, PAGE, MF_PERM_NONE, NULL));
    expect(mf_memory_len(m) == 18 * PAGE);
    expect_ok(mf_memory_unmap(m, 10 * PAGE, 20 * PAGE, NULL));
    expect(mf_memory_len(m) == 2 * PAGE);
    expect_ok(mf_memory_unmap(m, 0, PAGE, NULL));
    expect(mf_memory_len(m) == 2 * PAGE);
    expect_ok(mf_memory_unmap(m, 0, TOP, NULL));
    expect(mf_memory_len(m) == 0);
    mf_memory_destroy(m);
}

static void sbrk_grows_by_bytes(void) {
    mf_memory *m = memory_of(NULL, 0, (mf_heap){4 * PAGE, 3});
    mf_view further;
    mf_view_attach(&further, m);
    uint64_t fingerprint = mf_memory_view(m)->layout_stamp;
    uint64_t old = 0;
    expect_ok(mf_memory_sbrk(m, 0, &old, NULL));
    expect(old == 4 * PAGE && mf_memory_perm_of(m, 4 * PAGE) == MF_PERM_NONE);
    expect_ok(mf_memory_sbrk(m, 1, &old, NULL));
    expect(old == 4 * PAGE && mf_memory_heap_top(m) == 4 * PAGE + 1);
    expect(further.heap_end == 5 * PAGE && mf_memory_view(m)->heap_end == 5 * PAGE);
    set_byte(m, 5 * PAGE - 1, 0x77);
    /* Within the page that is there already nothing is zeroed. */
    expect_ok(mf_memory_sbrk(m, PAGE - 1, &old, NULL));
    expect(old == 4 * PAGE + 1 && mf_memory_heap_top(m) == 5 * PAGE);
    expect(further.heap_end == 5 * PAGE && byte_at(m, 5 * PAGE - 1) == 0x77);
    expect(mf_memory_perm_of(m, 5 * PAGE) == MF_PERM_NONE);
    expect_ok(mf_memory_sbrk(m, 2 * PAGE, &old, NULL));
    expect(mf_memory_len(m) == 7 * PAGE && further.heap_end == 7 * PAGE);
    expect(further.layout_stamp == fingerprint && fingerprint != 0);
    expect(mf_memory_heap_base(m) == 4 * PAGE && mf_memory_max_heap_pages(m) == 3);
    mf_view_detach(&further);
    mf_memory_destroy(m);
}

static void sbrk_zeroes_its_pages(void) {
    mf_memory *m = memory_of(NULL, 0, (mf_heap){4 * PAGE, 4});
    uint64_t old;
    expect_ok(mf_memory_map_region(m, 4 * PAGE, PAGE, MF_READ_WRITE, "secret", 6, NULL));
    expect_ok(mf_memory_protect(m, 4 * PAGE, PAGE, MF_PERM_NONE, NULL));
    set_hidden_byte(m, 5 * PAGE + 3, 0x99);
    expect_ok(mf_memory_sbrk(m, 2 * PAGE, &old, NULL));
    expect(byte_at(m, 4 * PAGE) == 0 && byte_at(m, 4 * PAGE + 5) == 0 && byte_at(m, 5 * PAGE + 3) == 0);
    mf_memory_destroy(m);
}

static void expect_refused(mf_memory *m, uint64_t bytes) {
    uint64_t old = 123, top = mf_memory_heap_top(m), end = mf_memory_view(m)->heap_end;
    uint64_t len = mf_memory_len(m);
    mf_diag diag;
    expect(mf_memory_sbrk(m, bytes, &old, &diag) == MF_HEAP_REFUSED);
    expect(diag.status == MF_HEAP_REFUSED && diag.value == bytes && old == 123);
    expect(mf_memory_heap_top(m) == top && mf_memory_view(m)->heap_end == end && mf_memory_len(m) == len);
}

static void sbrk_refuses(void) {
    mf_memory *m = memory_of(NULL, 0, (mf_heap){4 * PAGE, 4});
    uint64_t old;
    expect_refused(m, 4 * PAGE + 1);
    expect_refused(m, UINT64_MAX);
    expect_refused(m, UINT64_MAX - 4 * PAGE + 1);
    expect_ok(mf_memory_map_region(m, 6 * PAGE, PAGE, MF_READ_ONLY, "r", 1, NULL));
    expect_refused(m, 2 * PAGE + 1);
    expect(mf_memory_perm_of(m, 4 * PAGE) == MF_PERM_NONE && mf_memory_perm_of(m, 6 * PAGE) == MF_PERM_RO);
    expect_ok(mf_memory_sbrk(m, 2 * PAGE, &old, NULL));
    expect_refused(m, 1);
    expect(byte_at(m, 6 * PAGE) == 'r');
    expect_ok(mf_memory_unmap(m, 6 * PAGE, PAGE, NULL));
    expect_ok(mf_memory_sbrk(m, 2 * PAGE, &old, NULL));
    expect(old == 6 * PAGE && mf_memory_heap_top(m) == 8 * PAGE);
    expect_refused(m, 1);
    mf_memory_destroy(m);
}

static void sbrk_up_to_the_top(void) {
    mf_memory *m = memory_of(NULL, 0, (mf_heap){0xffffe000, 2});
    uint64_t old;
    expect_ok(mf_memory_sbrk(m, 2 * PAGE, &old, NULL));
    expect(old == 0xffffe000 && mf_memory_heap_top(m) == TOP && mf_memory_view(m)->heap_end == TOP);
    set_byte(m, UINT32_MAX, 5);
    expect(byte_at(m, UINT32_MAX) == 5 && mf_memory_len(m) == TOP);
    expect_refused(m, 1);
    expect_ok(mf_memory_sbrk(m, 0, &old, NULL));
    expect(old == TOP);
    mf_memory_destroy(m);
}

static void sbrk_without_heap(void) {
    mf_memory *m = memory_of(NULL, 0, (mf_heap){0});
    uint64_t old = 9;
    expect_refused(m, 1);
    expect_ok(mf_memory_sbrk(m, 0, &old, NULL));
    expect(old == 0);
    mf_memory_destroy(m);
}

static const test tests[] = {
    TEST(map_keeps_bytes_except_init), TEST(protect_keeps_bytes),    TEST(unmap_zeroes_bytes),
    TEST(ranges_are_checked),          TEST(size_zero_does_nothing), TEST(len_follows_the_highest_page),
    TEST(sbrk_grows_by_bytes),         TEST(sbrk_zeroes_its_pages),  TEST(sbrk_refuses),
    TEST(sbrk_up_to_the_top),          TEST(sbrk_without_heap),
};

int main(void) {
    return RUN_TESTS(tests);
}
