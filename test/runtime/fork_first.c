/*
 * The first fork of a process has begun when another thread first uses the runtime. The child finds whole
 * what that thread was in the middle of, and goes on with it.
 *
 * RUN: %cc %s -o %t %runtime
 * RUN: %t | FileCheck %s
 *
 * CHECK: tables: 10 of 10 children went on
 * CHECK-NEXT: pools: 10 of 10 children went on
 */
#include "first_fork.h"
#include "support.h"

#include <memfold/exception_table.h>
#include <memfold/pool.h>

static mf_pool *_Atomic pool;

static void use_table(void) {
    static const mf_exception_entry entries[2] = {{0x100, 0x200}, {0x300, 0x400}};
    static _Thread_local mf_exception_entry own[2];
    memcpy(own, entries, sizeof own);
    expect_ok(mf_exception_table_register(own, 2, NULL));
    mf_exception_table_unregister(own);
}

static void use_pool(void) {
    mf_memory *memory;
    if (atomic_load(&pool) == NULL) {
        mf_pool *made;
        expect_ok(mf_pool_create(NULL, &made, NULL));
        atomic_store(&pool, made);
    }
    expect_ok(mf_pool_take(pool, NULL, NULL, &memory, NULL));
    mf_pool_give(pool, memory);
}

int main(int argument_count, char **arguments) {
    static const fork_work WORKS[] = {{"tables", use_table}, {"pools", use_pool}};
    return fork_first(argument_count, arguments, WORKS, sizeof WORKS / sizeof WORKS[0]);
}
