/*
 * A memory that is given to a pool while a further view of it is attached: the next guest's bytes would be
 * that view's too. Assertions catch it.
 *
 * REQUIRES: debug
 * RUN: %cc %s -o %t %runtime && not --crash %t 2>&1 | FileCheck %s
 *
 * CHECK: {{^}}memfold: a memory was given to a pool with a view attached: 0x
 * CHECK-SAME: is a view of the memory at 0x
 */
#include "support.h"

#include <memfold/pool.h>

int main(void) {
    mf_pool *pool;
    mf_memory *memory;
    mf_view view;
    expect_ok(mf_pool_create(NULL, &pool, NULL));
    expect_ok(mf_pool_take(pool, NULL, NULL, &memory, NULL));
    mf_view_attach(&view, memory);
    mf_pool_give(pool, memory);
    return 0;
}
