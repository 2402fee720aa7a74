/*
 * The tests of the origin under their names, on every backend.
 *
 * RUN: %cc %s -o %t %runtime && %t > %t.linux && FileCheck %s < %t.linux
 *
 * Without an operating system x86_paged is the only one, and gives the same lines.
 * RUN: %bare-cc %s -o %t.kernel && %boot %t.kernel > %t.bare
 * RUN: grep ^x86_paged %t.linux | diff - %t.bare
 *
 * CHECK: copy read_u8_in_bounds
 * CHECK-NEXT: copy read_u8_out_of_bounds_returns_none
 * CHECK-NEXT: copy read_write_u32_le
 * CHECK-NEXT: copy unaligned_access_works
 * CHECK-NEXT: copy read_u32_straddling_end_returns_none
 * CHECK-NEXT: copy ro_page_write_via_slow_path_faults
 * CHECK-NEXT: copy perm_of_page_after_set
 * CHECK-NEXT: copy slow_path_read_write_round_trip
 * CHECK-NEXT: copy map_region_grows_buffer_and_sets_perms
 * CHECK-NEXT: copy map_region_copies_init_bytes_and_zero_fills_tail
 * CHECK-NEXT: copy map_region_truncates_oversize_init
 * CHECK-NEXT: copy map_region_rejects_unaligned_start
 * CHECK-NEXT: copy map_region_rejects_unaligned_size
 * CHECK-NEXT: copy map_region_overlapping_overwrites_perms
 * CHECK-NEXT: copy 14 tests
 * CHECK-NEXT: x86_paged read_u8_in_bounds
 * CHECK-NEXT: x86_paged read_u8_out_of_bounds_returns_none
 * CHECK-NEXT: x86_paged read_write_u32_le
 * CHECK-NEXT: x86_paged unaligned_access_works
 * CHECK-NEXT: x86_paged read_u32_straddling_end_returns_none
 * CHECK-NEXT: x86_paged ro_page_write_via_slow_path_faults
 * CHECK-NEXT: x86_paged perm_of_page_after_set
 * CHECK-NEXT: x86_paged slow_path_read_write_round_trip
 * CHECK-NEXT: x86_paged map_region_grows_buffer_and_sets_perms
 * CHECK-NEXT: x86_paged map_region_copies_init_bytes_and_zero_fills_tail
 * CHECK-NEXT: x86_paged map_region_truncates_oversize_init
 * CHECK-NEXT: x86_paged map_region_rejects_unaligned_start
 * CHECK-NEXT: x86_paged map_region_rejects_unaligned_size
 * CHECK-NEXT: x86_paged map_region_overlapping_overwrites_perms
 * CHECK-NEXT: x86_paged 14 tests
 */
#include "support.h"

static const mf_accessors *accessors;

static mf_memory *new_memory(void) {
    mf_memory *memory;
    expect_ok(mf_memory_create(NULL, NULL, backend, &memory, NULL));
    return memory;
}

static mf_memory *with_pages(uint32_t pages, mf_access access) {
    mf_memory *memory = new_memory();
    expect_ok(mf_memory_map_region(memory, 0, (uint64_t)pages * PAGE, access, NULL, 0, NULL));
    return memory;
}

static void read_u8_in_bounds(void) {
    mf_memory *m = with_pages(1, MF_READ_WRITE);
    expect(accessors->store_u8(mf_memory_view(m), 0x100, 0xab) == MF_FAULT_NONE);
    mf_load_result loaded = accessors->load_u8(mf_memory_view(m), 0x100);
    expect(loaded.status == MF_FAULT_NONE && loaded.value == 0xab);
    mf_memory_destroy(m);
}

static void read_u8_out_of_bounds_returns_none(void) {
    mf_memory *m = with_pages(1, MF_READ_WRITE);
    expect(accessors->load_u8(mf_memory_view(m), PAGE).status == MF_PAGE_FAULT);
    expect(mf_memory_last_fault(m).page == PAGE);
    expect(accessors->load_u8(mf_memory_view(m), UINT32_MAX).status == MF_PAGE_FAULT);
    expect(mf_memory_last_fault(m).page == 0xfffff000);
    mf_memory_destroy(m);
}

static void read_write_u32_le(void) {
    mf_memory *m = with_pages(1, MF_READ_WRITE);
    expect(accessors->store_u32(mf_memory_view(m), 0x10, 0xdeadbeef) == MF_FAULT_NONE);
    expect(accessors->load_u32(mf_memory_view(m), 0x10).value == 0xdeadbeef);
    expect(byte_at(m, 0x10) == 0xef && byte_at(m, 0x13) == 0xde);
    mf_memory_destroy(m);
}

static void unaligned_access_works(void) {
    mf_memory *m = with_pages(1, MF_READ_WRITE);
    expect(accessors->store_u32(mf_memory_view(m), 0x103, 0x12345678) == MF_FAULT_NONE);
    expect(accessors->load_u32(mf_memory_view(m), 0x103).value == 0x12345678);
    mf_memory_destroy(m);
}

static void read_u32_straddling_end_returns_none(void) {
    mf_memory *m = with_pages(1, MF_READ_WRITE);
    mf_load_result loaded = accessors->load_u32(mf_memory_view(m), PAGE - 2);
    expect(loaded.status == MF_PAGE_FAULT && loaded.value == 0);
    expect(fault_is(mf_memory_last_fault(m), MF_PAGE_FAULT, MF_LOAD, PAGE, PAGE - 2, 4));
    mf_memory_destroy(m);
}

static void ro_page_write_via_slow_path_faults(void) {
    mf_memory *m = with_pages(1, MF_READ_ONLY);
    const uint8_t one = 1;
    expect(!mf_memory_write(m, 0, &one, 1));
    expect(fault_is(mf_memory_last_fault(m), MF_WRITE_PROTECTED, MF_STORE, 0, 0, 1));
    expect(byte_at(m, 0) == 0);
    mf_memory_destroy(m);
}

static void perm_of_page_after_set(void) {
    mf_memory *m = with_pages(2, MF_READ_WRITE);
    expect(mf_memory_perm_of(m, 0) == MF_PERM_RW);
    expect(mf_memory_perm_of(m, PAGE) == MF_PERM_RW);
    expect(mf_memory_perm_of(m, 2 * PAGE) == MF_PERM_NONE);
    mf_memory_destroy(m);
}

static void slow_path_read_write_round_trip(void) {
    mf_memory *m = with_pages(1, MF_READ_WRITE);
    const uint8_t data[4] = {1, 2, 3, 4};
    uint8_t back[4] = {0};
    expect(mf_memory_write(m, 0, data, sizeof data));
    expect(mf_memory_read(m, 0, back, sizeof back));
    expect(memcmp(data, back, sizeof data) == 0);
    mf_memory_destroy(m);
}

static void map_region_grows_buffer_and_sets_perms(void) {
    mf_memory *m = new_memory();
    expect(mf_memory_len(m) == 0);
    expect_ok(mf_memory_map_region(m, 2 * PAGE, 2 * PAGE, MF_READ_WRITE, NULL, 0, NULL));
    expect(mf_memory_len(m) == 4 * PAGE);
    expect(mf_memory_is_in_bounds(m, 4 * PAGE - 1) && !mf_memory_is_in_bounds(m, 4 * PAGE));
    expect(mf_memory_perm_of(m, 0) == MF_PERM_NONE);
    expect(mf_memory_perm_of(m, PAGE) == MF_PERM_NONE);
    expect(mf_memory_perm_of(m, 2 * PAGE) == MF_PERM_RW);
    expect(mf_memory_perm_of(m, 3 * PAGE) == MF_PERM_RW);
    mf_memory_destroy(m);
}

static void map_region_copies_init_bytes_and_zero_fills_tail(void) {
    mf_memory *m = new_memory();
    const uint8_t init[3] = {0xaa, 0xbb, 0xcc};
    expect_ok(mf_memory_map_region(m, 0, PAGE, MF_READ_ONLY, init, sizeof init, NULL));
    expect(byte_at(m, 0) == 0xaa && byte_at(m, 1) == 0xbb && byte_at(m, 2) == 0xcc);
    expect(byte_at(m, 3) == 0 && byte_at(m, PAGE - 1) == 0);
    expect(mf_memory_perm_of(m, 0) == MF_PERM_RO);
    mf_memory_destroy(m);
}

static void map_region_truncates_oversize_init(void) {
    mf_memory *m = new_memory();
    static uint8_t init[3 * MF_PAGE_SIZE];
    memset(init, 0x77, sizeof init);
    expect_ok(mf_memory_map_region(m, 0, PAGE, MF_READ_WRITE, init, sizeof init, NULL));
    expect(mf_memory_len(m) == PAGE);
    expect(byte_at(m, PAGE - 1) == 0x77);
    expect_ok(mf_memory_protect(m, PAGE, PAGE, MF_PERM_RO, NULL));
    expect(byte_at(m, PAGE) == 0);
    mf_memory_destroy(m);
}

static void map_region_rejects_unaligned_start(void) {
    mf_memory *m = new_memory();
    mf_diag diag = {0};
    expect(mf_memory_map_region(m, 123, PAGE, MF_READ_ONLY, NULL, 0, &diag) == MF_UNALIGNED_START);
    expect(diag.status == MF_UNALIGNED_START && diag.value == 123);
    expect(mf_memory_len(m) == 0);
    mf_memory_destroy(m);
}

static void map_region_rejects_unaligned_size(void) {
    mf_memory *m = new_memory();
    mf_diag diag = {0};
    expect(mf_memory_map_region(m, 0, 123, MF_READ_ONLY, NULL, 0, &diag) == MF_UNALIGNED_SIZE);
    expect(diag.status == MF_UNALIGNED_SIZE && diag.value == 123);
    expect(mf_memory_len(m) == 0);
    mf_memory_destroy(m);
}

static void map_region_overlapping_overwrites_perms(void) {
    mf_memory *m = with_pages(2, MF_READ_ONLY);
    expect_ok(mf_memory_map_region(m, 0, 2 * PAGE, MF_READ_WRITE, NULL, 0, NULL));
    expect(mf_memory_perm_of(m, 0) == MF_PERM_RW);
    expect(mf_memory_perm_of(m, PAGE) == MF_PERM_RW);
    mf_memory_destroy(m);
}

static const test tests[] = {
    TEST(read_u8_in_bounds),
    TEST(read_u8_out_of_bounds_returns_none),
    TEST(read_write_u32_le),
    TEST(unaligned_access_works),
    TEST(read_u32_straddling_end_returns_none),
    TEST(ro_page_write_via_slow_path_faults),
    TEST(perm_of_page_after_set),
    TEST(slow_path_read_write_round_trip),
    TEST(map_region_grows_buffer_and_sets_perms),
    TEST(map_region_copies_init_bytes_and_zero_fills_tail),
    TEST(map_region_truncates_oversize_init),
    TEST(map_region_rejects_unaligned_start),
    TEST(map_region_rejects_unaligned_size),
    TEST(map_region_overlapping_overwrites_perms),
};

int main(void) {
    accessors = mf_generic_accessors(NULL);
    for (size_t b = 0; b < BACKEND_COUNT; b++) {
        backend = BACKENDS[b].backend;
        size_t count = sizeof tests / sizeof tests[0];
        for (size_t i = 0; i < count; i++) {
            tests[i].run();
            printf("%s %s\n", BACKENDS[b].name, tests[i].name);
        }
        printf("%s %zu tests\n", BACKENDS[b].name, count);
    }
    return 0;
}
