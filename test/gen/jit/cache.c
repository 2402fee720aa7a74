// Code is taken out of the jit's cache only after every reader without a lock has left it: also one that
// stands still, in whichever phase it counted itself, and however many newcomers there are. Code without
// references is not retained again. Sets of one layout with thousands of bases or hot addresses are found as
// fast as those of thousands of layouts.
//
// RUN: %cc %jit -I%source -I%source/gen %s -o %t %gen
// RUN: %t | FileCheck %s
//
// CHECK: removing code waits for a reader of the current phase, not for newcomers
// CHECK-NEXT: removing code waits for a reader of the phase before
// CHECK-NEXT: replacing the table waits for a reader of the current phase, not for newcomers
// CHECK-NEXT: replacing the table waits for a reader of the phase before
// CHECK-NEXT: only code that is alive and ready is retained
// CHECK-NEXT: bases and hot addresses spread like layouts
#include "epoch_threads.h"
#include "jit/cache.h"
#include "jit_support.h"

#include <time.h>

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

enum { MANY = 4096, LOOKUPS_OF_EACH = 4 };

static double thread_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* How long all of them take to be found. */
static double find_all(mf_code *many) {
    for (unsigned i = 0; i < MANY; i++)
        insert_code(&many[i]);
    double start = thread_seconds();
    for (unsigned i = 0; i < MANY * LOOKUPS_OF_EACH; i++) {
        mf_code *code = &many[i % MANY];
        require(cache_lookup(&all, code->layout, &code->options) == code, "it is found");
    }
    double seconds = thread_seconds() - start;
    cache_fini(&all);
    all = (cache){0};
    return seconds;
}

/* In one run of slots the mean search passes thousands; spread they are a few, whatever the machine. */
static void test_spread(void) {
    static mf_code many[MANY];
    for (uint32_t i = 0; i < MANY; i++)
        many[i].layout = make_layout(REGION_START + i * MF_PAGE_SIZE);
    double of_layouts = find_all(many);
    for (uint32_t i = 0; i < MANY; i++) {
        mf_layout_release(many[i].layout);
        many[i].layout = mf_layout_retain(codes[0].layout);
        many[i].options.base = MF_BASE_CONSTANT;
        many[i].options.base_address = i * (UINT64_C(1) << 33);
    }
    require(find_all(many) < 16 * of_layouts, "bases are spread");
    for (uint32_t i = 0; i < MANY; i++)
        many[i].options = (mf_accessor_options){.hot_address = i * MF_PAGE_SIZE, .hot_percent = 90};
    require(find_all(many) < 16 * of_layouts, "hot addresses are spread");
    for (uint32_t i = 0; i < MANY; i++)
        mf_layout_release(many[i].layout);
    printf("bases and hot addresses spread like layouts\n");
}

int main(void) {
    alarm(300); /* a drain that waits for newcomers never returns */
    make_codes();
    test_removal();
    test_replacement();
    test_retain();
    cache_fini(&all);
    all = (cache){0};
    test_spread();
    for (unsigned i = 0; i < COUNT; i++)
        mf_layout_release(codes[i].layout);
    return 0;
}
