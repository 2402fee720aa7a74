/*
 * The generic accessors by example: widths, extension, truncation, byte order, 33-bit indices, traps, base.
 *
 * RUN: %cc %s -o %t %runtime && %t | FileCheck %s
 *
 * CHECK: loads_extend
 * CHECK-NEXT: stores_truncate
 * CHECK-NEXT: big_endian
 * CHECK-NEXT: last_bytes_of_the_space
 * CHECK-NEXT: u33_indices
 * CHECK-NEXT: traps
 * CHECK-NEXT: base_argument
 * CHECK-NEXT: heap_and_changes_are_seen
 * CHECK-NEXT: sets_that_do_not_exist
 * CHECK-NEXT: infos_and_members
 * CHECK-NEXT: on copy
 * CHECK-NEXT: on x86_paged
 */
#include "support.h"

static const mf_region two_pages = {0, 2 * MF_PAGE_SIZE, MF_READ_WRITE};
static const uint8_t pattern[8] = {0x81, 0x92, 0xa3, 0xb4, 0xc5, 0xd6, 0xe7, 0xf8};

static void loads_extend(void) {
    mf_memory *m = memory_of(&two_pages, 1, (mf_heap){0});
    mf_view *v = mf_memory_view(m);
    const mf_accessors *a = mf_generic_accessors(NULL);
    expect(mf_memory_write(m, PAGE - 3, pattern, 8));
    expect(a->load_u8(v, PAGE - 3).value == 0x81 && a->load_u16(v, PAGE - 3).value == 0x9281);
    expect(a->load_u32(v, PAGE - 3).value == 0xb4a39281);
    expect(a->load_u64(v, PAGE - 3).value == 0xf8e7d6c5b4a39281);
    expect(a->load_i8(v, PAGE - 3).value == 0xffffffffffffff81);
    expect(a->load_i16(v, PAGE - 3).value == 0xffffffffffff9281);
    expect(a->load_i32(v, PAGE - 3).value == 0xffffffffb4a39281);
    set_byte(m, PAGE - 3, 0x7f);
    expect(a->load_i8(v, PAGE - 3).value == 0x7f);
    expect(a->load_u64(v, PAGE - 3).status == MF_FAULT_NONE);
    mf_memory_destroy(m);
}

static void stores_truncate(void) {
    mf_memory *m = memory_of(&two_pages, 1, (mf_heap){0});
    mf_view *v = mf_memory_view(m);
    const mf_accessors *a = mf_generic_accessors(NULL);
    mf_store_fn *const stores[] = {a->store_u8, a->store_u16, a->store_u32, a->store_u64};
    for (uint32_t i = 0; i < 4; i++) {
        uint8_t bytes[10];
        uint32_t width = 1u << i;
        expect(mf_memory_fill(m, PAGE - 6, 0xee, 10));
        expect(stores[i](v, PAGE - 5, 0x1122334455667788) == MF_FAULT_NONE);
        expect(mf_memory_read(m, PAGE - 6, bytes, 10));
        for (uint32_t k = 0; k < 10; k++) {
            bool stored = k >= 1 && k < 1 + width;
            expect(bytes[k] == (stored ? 0x88 - 0x11 * (k - 1) : 0xee));
        }
    }
    mf_memory_destroy(m);
}

static void big_endian(void) {
    mf_memory *m = memory_of(&two_pages, 1, (mf_heap){0});
    mf_view *v = mf_memory_view(m);
    const mf_accessors *a = mf_generic_accessors(&(mf_accessor_options){.endian = MF_BIG_ENDIAN});
    expect(mf_memory_write(m, 3, pattern, 8));
    expect(a->load_u8(v, 3).value == 0x81 && a->load_u16(v, 3).value == 0x8192);
    expect(a->load_u32(v, 3).value == 0x8192a3b4);
    expect(a->load_u64(v, 3).value == 0x8192a3b4c5d6e7f8);
    expect(a->load_i8(v, 3).value == 0xffffffffffffff81);
    expect(a->load_i16(v, 3).value == 0xffffffffffff8192);
    expect(a->load_i32(v, 3).value == 0xffffffff8192a3b4);
    expect(a->store_u16(v, 3, 0x112233445566) == MF_FAULT_NONE);
    expect(byte_at(m, 3) == 0x55 && byte_at(m, 4) == 0x66 && byte_at(m, 5) == 0xa3);
    expect(a->store_u32(v, 3, 0x1122334455667788) == MF_FAULT_NONE && byte_at(m, 3) == 0x55);
    expect(a->store_u64(v, 3, 0x1122334455667788) == MF_FAULT_NONE);
    expect(byte_at(m, 3) == 0x11 && byte_at(m, 10) == 0x88);
    mf_memory_destroy(m);
}

static void last_bytes_of_the_space(void) {
    const mf_region region = {TOP - PAGE, PAGE, MF_READ_WRITE};
    mf_memory *m = memory_of(&region, 1, (mf_heap){0});
    mf_view *v = mf_memory_view(m);
    const mf_accessors *a = mf_generic_accessors(NULL);
    expect(a->store_u64(v, UINT32_MAX - 7, 0x0102030405060708) == MF_FAULT_NONE);
    expect(a->load_u8(v, UINT32_MAX).value == 1);
    expect(a->load_u64(v, UINT32_MAX - 6).status == MF_PAGE_FAULT);
    expect(fault_is(v->fault, MF_PAGE_FAULT, MF_LOAD, TOP, UINT32_MAX - 6, 8));
    expect(a->store_u16(v, UINT32_MAX, 0xffff) == MF_PAGE_FAULT && byte_at(m, UINT32_MAX) == 1);
    expect(fault_is(v->fault, MF_PAGE_FAULT, MF_STORE, TOP, UINT32_MAX, 2));
    mf_memory_destroy(m);
}

static void u33_indices(void) {
    const mf_region region = {0, TOP, MF_READ_WRITE};
    mf_memory *m = memory_of(&region, 1, (mf_heap){0});
    mf_view *v = mf_memory_view(m);
    const mf_accessors *a = mf_generic_accessors(&(mf_accessor_options){.index = MF_INDEX_U33});
    mf_load_u33_fn *load = (mf_load_u33_fn *)(mf_accessor_fn *)a->load_u32;
    mf_store_u33_fn *store = (mf_store_u33_fn *)(mf_accessor_fn *)a->store_u64;
    expect(store(v, UINT32_MAX - 7, 0x4142434445464748) == MF_FAULT_NONE);
    expect(load(v, UINT32_MAX - 3).value == 0x41424344);
    expect(load(v, UINT32_MAX - 2).status == MF_PAGE_FAULT && v->fault.page == TOP);
    expect(load(v, TOP).status == MF_PAGE_FAULT);
    expect(fault_is(v->fault, MF_PAGE_FAULT, MF_LOAD, TOP, TOP, 4));
    expect(load(v, 0x180000123).status == MF_PAGE_FAULT);
    expect(fault_is(v->fault, MF_PAGE_FAULT, MF_LOAD, 0x180000000, 0x180000123, 4));
    uint64_t largest = 2 * (uint64_t)UINT32_MAX;
    expect(store(v, largest, 1) == MF_PAGE_FAULT);
    expect(fault_is(v->fault, MF_PAGE_FAULT, MF_STORE, 0x1fffff000, largest, 8));
    mf_memory_destroy(m);
}

static void trap_body(mf_view *view, void *context) {
    const mf_accessors *a = mf_generic_accessors(&(mf_accessor_options){.on_fault = MF_ON_FAULT_TRAP});
    mf_load_trap_fn *load = (mf_load_trap_fn *)(mf_accessor_fn *)a->load_i16;
    mf_store_trap_fn *store = (mf_store_trap_fn *)(mf_accessor_fn *)a->store_u16;
    int *steps = context;
    store(view, 6, 0x8001);
    *steps = 1;
    expect(load(view, 6) == 0xffffffffffff8001);
    *steps = 2;
    store(view, 2 * PAGE - 1, 0xffff);
    *steps = 3;
}

static void traps(void) {
    mf_memory *m = memory_of(&two_pages, 1, (mf_heap){0});
    mf_fault fault;
    int steps = 0;
    expect(!mf_guard_run(mf_memory_view(m), trap_body, &steps, &fault));
    expect(steps == 2 && byte_at(m, 2 * PAGE - 1) == 0);
    expect(fault_is(fault, MF_PAGE_FAULT, MF_STORE, 2 * PAGE, 2 * PAGE - 1, 2));
    mf_memory_destroy(m);
}

static void base_argument(void) {
    mf_memory *m = memory_of(&two_pages, 1, (mf_heap){0});
    mf_view *v = mf_memory_view(m);
    const mf_accessors *a = mf_generic_accessors(&(mf_accessor_options){.base = MF_BASE_ARGUMENT});
    mf_load_at_fn *load = (mf_load_at_fn *)(mf_accessor_fn *)a->load_u16;
    mf_store_at_fn *store = (mf_store_at_fn *)(mf_accessor_fn *)a->store_u16;
    uint8_t elsewhere[16] = {0};
    expect(store(v, elsewhere, 5, 0x1234) == MF_FAULT_NONE && elsewhere[5] == 0x34 && elsewhere[6] == 0x12);
    expect(byte_at(m, 5) == 0 && load(v, elsewhere, 5).value == 0x1234);
    expect(load(v, elsewhere, 2 * PAGE).status == MF_PAGE_FAULT && v->fault.page == 2 * PAGE);
    mf_memory_destroy(m);
}

static void heap_and_changes_are_seen(void) {
    mf_memory *m = memory_of(&two_pages, 1, (mf_heap){8 * PAGE, 1});
    mf_view *v = mf_memory_view(m);
    const mf_accessors *a = mf_generic_accessors(NULL);
    uint64_t old;
    expect(a->store_u8(v, 8 * PAGE, 1) == MF_PAGE_FAULT);
    expect_ok(mf_memory_sbrk(m, 1, &old, NULL));
    expect(a->store_u8(v, 9 * PAGE - 1, 1) == MF_FAULT_NONE);
    expect_ok(mf_memory_protect(m, 0, PAGE, MF_PERM_RO, NULL));
    expect(a->store_u8(v, 0, 1) == MF_WRITE_PROTECTED && a->load_u8(v, 0).status == MF_FAULT_NONE);
    expect_ok(mf_memory_unmap(m, 0, PAGE, NULL));
    expect(a->load_u8(v, 0).status == MF_PAGE_FAULT);
    mf_memory_destroy(m);
}

static void sets_that_do_not_exist(void) {
    expect(mf_generic_accessors(&(mf_accessor_options){.policy = MF_POLICY_BOUNDS}) == NULL);
    expect(mf_generic_accessors(&(mf_accessor_options){.policy = MF_POLICY_NONE}) == NULL);
    expect(mf_generic_accessors(&(mf_accessor_options){.base = MF_BASE_CONSTANT}) == NULL);
    expect(mf_generic_accessors(&(mf_accessor_options){.on_fault = (mf_on_fault)2}) == NULL);
    mf_accessor_options same = {
        .spectre = MF_SPECTRE_MASK, .strategy = MF_STRATEGY_WINDOW, .stale = MF_STALE_CHECK};
    expect(mf_generic_accessors(&same) == mf_generic_accessors(NULL));
    const mf_accessors *seen[16];
    for (unsigned i = 0; i < 16; i++) {
        seen[i] = mf_generic_accessors(&(mf_accessor_options){.endian = (mf_endian)(i & 1),
                                                              .on_fault = (mf_on_fault)(i >> 1 & 1),
                                                              .index = (mf_index)(i >> 2 & 1),
                                                              .base = (mf_base)(i >> 3)});
        expect(seen[i] != NULL);
        for (unsigned k = 0; k < i; k++)
            expect(seen[k] != seen[i]);
    }
}

static void infos_and_members(void) {
    const mf_accessors *a = mf_generic_accessors(NULL);
    expect(MF_ACCESSOR_COUNT == 11);
    expect(mf_accessors_member(a, MF_LOAD_U8) == (mf_accessor_fn *)a->load_u8);
    expect(mf_accessors_member(a, MF_LOAD_I32) == (mf_accessor_fn *)a->load_i32);
    expect(mf_accessors_member(a, MF_STORE_U64) == (mf_accessor_fn *)a->store_u64);
    const mf_accessor_info *info = mf_accessor_info_get(MF_LOAD_I16);
    expect(strcmp(info->name, "load_i16") == 0 && info->operation == MF_LOAD);
    expect(info->width_bytes == 2 && info->sign_extends == 1);
    info = mf_accessor_info_get(MF_STORE_U64);
    expect(strcmp(info->name, "store_u64") == 0 && info->operation == MF_STORE);
    expect(info->width_bytes == 8 && info->sign_extends == 0);
}

static const test tests[] = {
    TEST(loads_extend),
    TEST(stores_truncate),
    TEST(big_endian),
    TEST(last_bytes_of_the_space),
    TEST(u33_indices),
    TEST(traps),
    TEST(base_argument),
    TEST(heap_and_changes_are_seen),
    TEST(sets_that_do_not_exist),
    TEST(infos_and_members),
};

int main(void) {
    return RUN_TESTS(tests);
}
