/*
 * The exception tables of the process: lookups, order, interleaving, counting, and no memory.
 *
 * Sanitizers end a program that asks for too much memory, unless they are told not to.
 *
 * RUN: %cc %s -o %t %runtime
 * RUN: env ASAN_OPTIONS=allocator_may_return_null=1 TSAN_OPTIONS=allocator_may_return_null=1 %t \
 * RUN:     | FileCheck %s
 *
 * CHECK: nothing_is_there_at_first
 * CHECK-NEXT: every_entry_is_found_and_nothing_else
 * CHECK-NEXT: registered_as_often_as_unregistered
 * CHECK-NEXT: empty_tables
 * CHECK-NEXT: interleaved_tables
 * CHECK-NEXT: many_tables_in_any_order
 * CHECK-NEXT: entry_points_of_objects
 * CHECK-NEXT: ended_and_replaced
 * CHECK-NEXT: without_memory
 */
#include "support.h"

#include <memfold/exception_table.h>

/* Addresses that entries speak of: anywhere near them, nothing is executed. */
static char code[1 << 20];

static uintptr_t pc(size_t offset) {
    return (uintptr_t)&code[offset];
}

static int32_t relative(const int32_t *field, uintptr_t target) {
    return (int32_t)(intptr_t)(target - (uintptr_t)field);
}

/* Continues 7 bytes behind the instruction. */
static void set_entry(mf_exception_entry *entry, size_t offset) {
    entry->fault = relative(&entry->fault, pc(offset));
    entry->resume = relative(&entry->resume, pc(offset) + 7);
}

static bool is_found(size_t offset) {
    uintptr_t resume = mf_exception_table_lookup(pc(offset));
    expect(resume == 0 || resume == pc(offset) + 7);
    return resume != 0;
}

static void nothing_is_there_at_first(void) {
    expect(!is_found(0) && mf_exception_table_lookup(0) == 0 && mf_exception_table_lookup(UINTPTR_MAX) == 0);
}

/* In no order, and two of them behind the entries, two before. */
static void every_entry_is_found_and_nothing_else(void) {
    enum { COUNT = 1000 };
    static mf_exception_entry entries[COUNT];
    static bool wanted[1 << 16];
    uint64_t random = 17;
    memset(wanted, 0, sizeof wanted);
    for (size_t i = 0; i < COUNT; i++) {
        size_t offset;
        do {
            offset = next_random(&random) % sizeof wanted;
        } while (wanted[offset]);
        wanted[offset] = true;
        set_entry(&entries[i], offset);
    }
    expect_ok(mf_exception_table_register(entries, COUNT, NULL));
    for (size_t offset = 0; offset < sizeof wanted; offset++)
        expect(is_found(offset) == wanted[offset]);
    mf_exception_table_unregister(entries);
    for (size_t offset = 0; offset < sizeof wanted; offset++)
        expect(!is_found(offset));
}

static void registered_as_often_as_unregistered(void) {
    static mf_exception_entry entry;
    set_entry(&entry, 100);
    for (int i = 0; i < 3; i++)
        expect_ok(mf_exception_table_register(&entry, 1, NULL));
    for (int i = 0; i < 3; i++) {
        expect(is_found(100));
        mf_exception_table_unregister(&entry);
    }
    expect(!is_found(100));
}

static void empty_tables(void) {
    static mf_exception_entry entry;
    set_entry(&entry, 100);
    expect_ok(mf_exception_table_register(&entry, 0, NULL));
    expect(!is_found(100));
    mf_exception_table_unregister(&entry);
    expect_ok(mf_exception_table_register(&entry, 1, NULL));
    expect(is_found(100));
    mf_exception_table_unregister(&entry);
}

/* One table spans the others; the instructions of two alternate. */
static void interleaved_tables(void) {
    enum { COUNT = 50 };
    static mf_exception_entry even[COUNT], odd[COUNT], inside[1], around[2];
    for (size_t i = 0; i < COUNT; i++) {
        set_entry(&even[i], 1000 + 20 * i);
        set_entry(&odd[i], 1010 + 20 * i);
    }
    set_entry(&inside[0], 1205);
    set_entry(&around[0], 10);
    set_entry(&around[1], 100000);
    expect_ok(mf_exception_table_register(around, 2, NULL));
    expect_ok(mf_exception_table_register(even, COUNT, NULL));
    expect_ok(mf_exception_table_register(inside, 1, NULL));
    expect_ok(mf_exception_table_register(odd, COUNT, NULL));
    for (size_t i = 0; i < 2 * COUNT; i++)
        expect(is_found(1000 + 10 * i) && !is_found(1001 + 10 * i));
    expect(is_found(10) && is_found(1205) && is_found(100000) && !is_found(99999) && !is_found(100001));
    mf_exception_table_unregister(even);
    for (size_t i = 0; i < COUNT; i++)
        expect(!is_found(1000 + 20 * i) && is_found(1010 + 20 * i));
    mf_exception_table_unregister(around);
    expect(!is_found(10) && is_found(1205) && !is_found(100000));
    mf_exception_table_unregister(odd);
    mf_exception_table_unregister(inside);
    expect(!is_found(1205) && !is_found(1010));
}

static void many_tables_in_any_order(void) {
    enum { TABLES = 300, COUNT = 5 };
    static mf_exception_entry entries[TABLES][COUNT];
    static bool registered[TABLES];
    uint64_t random = 4;
    for (size_t t = 0; t < TABLES; t++)
        for (size_t i = 0; i < COUNT; i++)
            set_entry(&entries[t][i], t * 1000 + i * 10);
    for (int round = 0; round < 5000; round++) {
        size_t t = next_random(&random) % TABLES;
        if (registered[t])
            mf_exception_table_unregister(entries[t]);
        else
            expect_ok(mf_exception_table_register(entries[t], COUNT, NULL));
        registered[t] = !registered[t];
        size_t other = next_random(&random) % TABLES, i = next_random(&random) % COUNT;
        expect(is_found(t * 1000 + i * 10) == registered[t]);
        expect(is_found(other * 1000 + i * 10) == registered[other] && !is_found(other * 1000 + 5));
    }
    for (size_t t = 0; t < TABLES; t++) {
        if (registered[t]) {
            mf_exception_table_unregister(entries[t]);
            registered[t] = false;
        }
    }
}

static void entry_points_of_objects(void) {
    static mf_exception_entry entries[2];
    set_entry(&entries[0], 1);
    set_entry(&entries[1], 2);
    mf_rt_register_v3(entries, entries);
    mf_rt_unregister_v3(entries, entries);
    mf_rt_register_v3(entries, entries + 2);
    mf_rt_unregister_v3(entries + 1, entries + 1);
    expect(is_found(1) && is_found(2));
    mf_rt_register_v3(entries, entries + 2);
    mf_rt_unregister_v3(entries, entries + 2);
    mf_rt_unregister_v3(entries, entries + 2);
    mf_rt_unregister_v3(entries, entries + 2);
    expect(is_found(1) && is_found(2));
    mf_rt_register_v3(entries, entries + 2);
    expect(is_found(1) && is_found(2));
    mf_exception_table_unregister(entries);
    expect(!is_found(1) && !is_found(2));
    mf_rt_register_v3(NULL, NULL);
    mf_rt_unregister_v3(NULL, NULL);
}

/* Threads may be in the code of an object that has ended. When other code is in its place they are not. */
static void ended_and_replaced(void) {
    static mf_exception_entry ended[2], beside[1], other[1];
    set_entry(&ended[0], 10);
    set_entry(&ended[1], 20);
    set_entry(&beside[0], 30);
    set_entry(&other[0], 15);
    mf_rt_register_v3(ended, ended + 2);
    mf_rt_unregister_v3(ended, ended + 2);
    expect_ok(mf_exception_table_register(beside, 1, NULL));
    expect(is_found(10) && is_found(20) && is_found(30));
    mf_exception_table_unregister(ended);
    expect(is_found(10));
    expect_ok(mf_exception_table_register(other, 1, NULL));
    expect(!is_found(10) && is_found(15) && !is_found(20) && is_found(30));
    mf_exception_table_unregister(other);
    mf_exception_table_unregister(beside);
    mf_rt_register_v3(ended, ended + 2);
    mf_rt_unregister_v3(ended, ended + 2);
    set_entry(&ended[0], 40);
    set_entry(&ended[1], 50);
    mf_rt_register_v3(ended, ended + 2);
    expect(!is_found(10) && is_found(40) && is_found(50));
    mf_exception_table_unregister(ended);
    expect(!is_found(10) && !is_found(40));
}

/* More entries than there can be memory for; they are never looked at. */
static void without_memory(void) {
    static mf_exception_entry entry;
    mf_diag diag = {0};
    set_entry(&entry, 5);
    expect(mf_exception_table_register(&entry, (size_t)1 << 50, &diag) == MF_OUT_OF_MEMORY);
    expect(diag.status == MF_OUT_OF_MEMORY && diag.message[0] != '\0' && !is_found(5));
    expect_ok(mf_exception_table_register(&entry, 1, NULL));
    expect(is_found(5));
    mf_exception_table_unregister(&entry);
}

static const test tests[] = {
    TEST(nothing_is_there_at_first),
    TEST(every_entry_is_found_and_nothing_else),
    TEST(registered_as_often_as_unregistered),
    TEST(empty_tables),
    TEST(interleaved_tables),
    TEST(many_tables_in_any_order),
    TEST(entry_points_of_objects),
    TEST(ended_and_replaced),
    TEST(without_memory),
};

int main(void) {
    return RUN_TESTS(tests);
}
