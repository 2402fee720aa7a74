/*
 * The entry points of generated code, called as generated code calls them.
 *
 * RUN: %cc %s -o %t %runtime && %t | FileCheck %s
 *
 * CHECK: by_permission
 * CHECK-NEXT: by_limit
 * CHECK-NEXT: a_stale_accessor_still_gets_a_fault
 * CHECK-NEXT: what_has_grown_meanwhile
 * CHECK-NEXT: the_stamp_is_the_version
 * CHECK-NEXT: on copy
 * CHECK-NEXT: on x86_paged
 */
#include "support.h"

static const mf_region regions[] = {{0, MF_PAGE_SIZE, MF_READ_WRITE},
                                    {MF_PAGE_SIZE, MF_PAGE_SIZE, MF_READ_ONLY}};

static void by_permission(void) {
    mf_memory *m = memory_of(regions, 2, (mf_heap){0});
    mf_view *v = mf_memory_view(m);
    expect(mf_rt_fault_v3(v, PAGE - 1, MF_ACCESS_CODE(MF_STORE, 2), 0) == MF_WRITE_PROTECTED);
    expect(fault_is(v->fault, MF_WRITE_PROTECTED, MF_STORE, PAGE, PAGE - 1, 2));
    expect(mf_rt_fault_v3(v, 2 * PAGE - 1, MF_ACCESS_CODE(MF_STORE, 8), 0) == MF_WRITE_PROTECTED);
    expect(fault_is(v->fault, MF_WRITE_PROTECTED, MF_STORE, PAGE, 2 * PAGE - 1, 8));
    expect(mf_rt_fault_v3(v, 2 * PAGE - 1, MF_ACCESS_CODE(MF_LOAD, 8), 0) == MF_PAGE_FAULT);
    expect(fault_is(v->fault, MF_PAGE_FAULT, MF_LOAD, 2 * PAGE, 2 * PAGE - 1, 8));
    expect(mf_rt_fault_v3(v, 0x180000fff, MF_ACCESS_CODE(MF_STORE, 1), 0) == MF_PAGE_FAULT);
    expect(fault_is(v->fault, MF_PAGE_FAULT, MF_STORE, 0x180000000, 0x180000fff, 1));
    mf_memory_destroy(m);
}

/* Under the bounds policy permissions do not count: not the read-only page, not the holes below. */
static void by_limit(void) {
    mf_memory *m = memory_of(regions, 2, (mf_heap){0});
    mf_view *v = mf_memory_view(m);
    expect(mf_rt_fault_v3(v, 4 * PAGE - 1, MF_ACCESS_CODE(MF_STORE, 4), 4 * PAGE) == MF_PAGE_FAULT);
    expect(fault_is(v->fault, MF_PAGE_FAULT, MF_STORE, 4 * PAGE, 4 * PAGE - 1, 4));
    expect(mf_rt_fault_v3(v, 9 * PAGE + 5, MF_ACCESS_CODE(MF_LOAD, 4), 4 * PAGE) == MF_PAGE_FAULT);
    expect(fault_is(v->fault, MF_PAGE_FAULT, MF_LOAD, 9 * PAGE, 9 * PAGE + 5, 4));
    expect(mf_rt_fault_v3(v, PAGE - 1, MF_ACCESS_CODE(MF_STORE, 2), PAGE) == MF_PAGE_FAULT);
    expect(fault_is(v->fault, MF_PAGE_FAULT, MF_STORE, PAGE, PAGE - 1, 2));
    expect(mf_rt_fault_v3(v, UINT32_MAX, MF_ACCESS_CODE(MF_LOAD, 2), TOP) == MF_PAGE_FAULT);
    expect(v->fault.page == TOP);
    mf_memory_destroy(m);
}

static void a_stale_accessor_still_gets_a_fault(void) {
    mf_memory *m = memory_of(regions, 2, (mf_heap){0});
    mf_view *v = mf_memory_view(m);
    expect(mf_rt_fault_v3(v, 8, MF_ACCESS_CODE(MF_STORE, 4), 0) == MF_PAGE_FAULT);
    expect(fault_is(v->fault, MF_PAGE_FAULT, MF_STORE, 0, 8, 4));
    expect(mf_rt_fault_v3(v, PAGE + 8, MF_ACCESS_CODE(MF_LOAD, 4), 0) == MF_PAGE_FAULT);
    expect(v->fault.page == PAGE);
    mf_memory_destroy(m);
}

static uint64_t page_of_refused(mf_view *v, uint64_t index, uint64_t length) {
    expect(mf_rt_fault_v3(v, index, MF_ACCESS_CODE(MF_STORE, length), 0) == MF_PAGE_FAULT);
    expect(v->fault.kind == MF_PAGE_FAULT && v->fault.address == index && v->fault.length == length);
    return v->fault.page;
}

/* The engine has refused what sbrk has added before the fault is classified. */
static void what_has_grown_meanwhile(void) {
    const mf_region around[] = {{7 * PAGE, PAGE, MF_READ_WRITE}, {13 * PAGE, PAGE, MF_READ_WRITE}};
    mf_memory *m = memory_of(around, 2, (mf_heap){8 * PAGE, 5}), *clone;
    mf_view *v = mf_memory_view(m);
    uint64_t old;
    expect_ok(mf_memory_sbrk(m, 3 * PAGE, &old, NULL));
    expect(page_of_refused(v, 8 * PAGE - 1, 4) == 8 * PAGE);
    expect(page_of_refused(v, 9 * PAGE - 1, 4) == 8 * PAGE);
    expect(page_of_refused(v, 7 * PAGE + 5, 4 * PAGE - 5) == 8 * PAGE);
    /* Two pages more: what lay below was there before. */
    expect_ok(mf_memory_sbrk(m, 2 * PAGE, &old, NULL));
    expect(page_of_refused(v, 11 * PAGE - 1, 4) == 11 * PAGE);
    expect(page_of_refused(v, 9 * PAGE, 4 * PAGE) == 11 * PAGE);
    expect(page_of_refused(v, 12 * PAGE + 7, 2) == 12 * PAGE);
    /* What touches none of the last growth was refused before an earlier one, on its highest page at the
     * latest. */
    expect(page_of_refused(v, 9 * PAGE - 1, 4) == 9 * PAGE);
    expect(page_of_refused(v, 7 * PAGE, 2 * PAGE) == 8 * PAGE);
    /* The window above has always been there. */
    expect(page_of_refused(v, 13 * PAGE - 1, 4) == 12 * PAGE);
    expect(page_of_refused(v, 13 * PAGE + 9, 4) == 13 * PAGE && page_of_refused(v, 7 * PAGE, 4) == 7 * PAGE);
    expect_ok(mf_memory_clone(m, &clone, NULL));
    expect(page_of_refused(mf_memory_view(clone), 9 * PAGE, 4 * PAGE) == 11 * PAGE);
    expect_ok(mf_memory_reset(clone, NULL));
    expect_ok(mf_memory_sbrk(clone, 5 * PAGE, &old, NULL));
    expect(page_of_refused(mf_memory_view(clone), 9 * PAGE, 4 * PAGE) == 9 * PAGE);
    mf_memory_destroy(clone);
    mf_memory_destroy(m);
}

static void the_stamp_is_the_version(void) {
    expect(mf_abi_v3 == MF_ABI_VERSION);
}

static const test tests[] = {
    TEST(by_permission),
    TEST(by_limit),
    TEST(a_stale_accessor_still_gets_a_fault),
    TEST(what_has_grown_meanwhile),
    TEST(the_stamp_is_the_version),
};

int main(void) {
    return RUN_TESTS(tests);
}
