// Code is taken out of the jit's cache only after every reader without a lock has left it: also one that
// stands still, in whichever phase it counted itself, and however many newcomers there are. Code without
// references is not retained again.
//
// RUN: %cc %jit -I%source -I%source/gen %s -o %t %gen
// RUN: %t | FileCheck %s
//
// CHECK: removing code waits for a reader of the current phase, not for newcomers
// CHECK-NEXT: removing code waits for a reader of the phase before
// CHECK-NEXT: replacing the table waits for a reader of the current phase, not for newcomers
// CHECK-NEXT: replacing the table waits for a reader of the phase before
// CHECK-NEXT: only code that is alive and ready is retained
#include "epoch_threads.h"
#include "jit/cache.h"
#include "jit_support.h"

/* One more than the smallest table holds before it is replaced. */
enum { COUNT = 33 };

static cache all;
static mf_code codes[COUNT];

static void make_codes(void) {
    for (uint32_t i = 0; i < COUNT; i++) {
        codes[i].layout = make_layout(REGION_START + i * MF_PAGE_SIZE);
        atomic_init(&codes[i].references, 1);
        atomic_init(&codes[i].state, CODE_READY);
    }
}

static void remove_code(void *code) {
    cache_remove(&all, code);
}

static void insert_code(void *code) {
    require(cache_insert(&all, code), "no memory");
}

static void test_current_phase(const char *name, void (*change)(void *code), mf_code *code) {
    epoch_writer writer;
    epoch_newcomers newcomers;
    epoch_reader still = epoch_enter(&all.readers, 0);
    epoch_newcomers_start(&newcomers, &all.readers);
    epoch_writer_start(&writer, change, code);
    require(epoch_writer_waits(&writer), "a reader of the current phase is not waited for");
    epoch_leave(still);
    epoch_writer_join(&writer);
    epoch_newcomers_stop(&newcomers);
    printf("%s waits for a reader of the current phase, not for newcomers\n", name);
}

/* The reader has read the phase, and a whole drain has passed before it counts itself. */
static void test_phase_before(const char *name, void (*change)(void *code), mf_code *code) {
    epoch_writer writer;
    epoch_reader still = epoch_enter_phase(&all.readers, 0, !epoch_phase(&all.readers));
    epoch_writer_start(&writer, change, code);
    require(epoch_writer_waits(&writer), "a reader of the phase before is not waited for");
    epoch_leave(still);
    epoch_writer_join(&writer);
    printf("%s waits for a reader of the phase before\n", name);
}

static void test_removal(void) {
    insert_code(&codes[0]);
    insert_code(&codes[1]);
    test_current_phase("removing code", remove_code, &codes[0]);
    test_phase_before("removing code", remove_code, &codes[1]);
    cache_fini(&all);
    atomic_store(&all.table, NULL);
}

static void fill_table(void) {
    for (unsigned i = 0; i + 1 < COUNT; i++)
        insert_code(&codes[i]);
}

static void empty_table(void) {
    for (unsigned i = 0; i < COUNT; i++)
        remove_code(&codes[i]);
    cache_fini(&all);
    atomic_store(&all.table, NULL);
}

static void test_replacement(void) {
    fill_table();
    test_current_phase("replacing the table", insert_code, &codes[COUNT - 1]);
    empty_table();
    fill_table();
    test_phase_before("replacing the table", insert_code, &codes[COUNT - 1]);
}

static bool is_retained(const mf_code *code) {
    const mf_accessor_options options = {0};
    return cache_retain_ready(&all, code->layout, &options) == code;
}

static void test_retain(void) {
    require(is_retained(&codes[7]) && atomic_load(&codes[7].references) == 2, "known code is retained");
    atomic_store(&codes[7].state, CODE_COMPILING);
    require(!is_retained(&codes[7]), "code that is being compiled is retained");
    atomic_store(&codes[8].references, 0);
    require(!is_retained(&codes[8]) && atomic_load(&codes[8].references) == 0, "dead code is retained");
    remove_code(&codes[9]);
    require(!is_retained(&codes[9]), "removed code is retained");
    printf("only code that is alive and ready is retained\n");
}

int main(void) {
    alarm(300); /* a drain that waits for newcomers never returns */
    make_codes();
    test_removal();
    test_replacement();
    test_retain();
    cache_fini(&all);
    for (unsigned i = 0; i < COUNT; i++)
        mf_layout_release(codes[i].layout);
    return 0;
}
