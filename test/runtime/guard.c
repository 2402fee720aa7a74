/*
 * A fault leaves through the innermost guard frame of its view, and frames can be entered again.
 *
 * RUN: %cc %s -o %t %runtime && %t | FileCheck %s
 *
 * CHECK: a_body_that_ends
 * CHECK-NEXT: a_fault_leaves_the_body
 * CHECK-NEXT: only_the_innermost_frame_is_left
 * CHECK-NEXT: a_frame_belongs_to_one_view
 * CHECK-NEXT: frames_can_be_entered_again
 * CHECK-NEXT: on copy
 * CHECK-NEXT: on x86_paged
 */
#include "support.h"

static const mf_region region = {0, MF_PAGE_SIZE, MF_READ_WRITE};

typedef struct steps {
    int reached;
    mf_fault inner;
    mf_view *outer;
    mf_view second;
} steps;

static mf_load_trap_fn *trap_load(void) {
    const mf_accessors *a = mf_generic_accessors(&(mf_accessor_options){.on_fault = MF_ON_FAULT_TRAP});
    return (mf_load_trap_fn *)(mf_accessor_fn *)a->load_u32;
}

static void ends(mf_view *view, void *context) {
    expect(view->guard != NULL);
    expect(trap_load()(view, 8) == 0);
    ((steps *)context)->reached = 1;
}

static void faults(mf_view *view, void *context) {
    steps *s = context;
    s->reached = 1;
    trap_load()(view, PAGE - 1);
    s->reached = 2;
}

static void a_body_that_ends(void) {
    mf_memory *m = memory_of(&region, 1, (mf_heap){0});
    steps s = {0};
    mf_fault fault = {.page = 77};
    expect(mf_guard_run(mf_memory_view(m), ends, &s, &fault));
    expect(s.reached == 1 && fault.page == 77 && mf_memory_view(m)->guard == NULL);
    mf_memory_destroy(m);
}

static void a_fault_leaves_the_body(void) {
    mf_memory *m = memory_of(&region, 1, (mf_heap){0});
    steps s = {0};
    mf_fault fault;
    expect(!mf_guard_run(mf_memory_view(m), faults, &s, &fault));
    expect(s.reached == 1 && mf_memory_view(m)->guard == NULL);
    expect(fault_is(fault, MF_PAGE_FAULT, MF_LOAD, PAGE, PAGE - 1, 4));
    expect(memcmp(&fault, &mf_memory_view(m)->fault, sizeof fault) == 0);
    expect(!mf_guard_run(mf_memory_view(m), faults, &s, NULL));
    mf_memory_destroy(m);
}

static void nests(mf_view *view, void *context) {
    steps *s = context;
    struct mf_guard *outer = view->guard;
    expect(!mf_guard_run(view, faults, s, &s->inner));
    expect(view->guard == outer && s->reached == 1);
    s->reached = 10;
    trap_load()(view, 3 * PAGE);
    s->reached = 11;
}

static void only_the_innermost_frame_is_left(void) {
    mf_memory *m = memory_of(&region, 1, (mf_heap){0});
    steps s = {0};
    mf_fault fault;
    expect(!mf_guard_run(mf_memory_view(m), nests, &s, &fault));
    expect(s.reached == 10 && s.inner.page == PAGE && fault.page == 3 * PAGE);
    mf_memory_destroy(m);
}

/* The inner frame is on another view; a fault of the outer view passes it and leaves the outer frame. */
static void faults_on_the_outer(mf_view *view, void *context) {
    steps *s = context;
    expect(view == &s->second && view != s->outer);
    s->reached = 20;
    trap_load()(s->outer, 5 * PAGE);
    s->reached = 21;
}

static void runs_on_a_second_view(mf_view *view, void *context) {
    steps *s = context;
    s->outer = view;
    mf_view_attach(&s->second, view->memory);
    expect(view->guard != NULL && s->second.guard == NULL);
    mf_guard_run(&s->second, faults_on_the_outer, s, NULL);
    s->reached = 22;
}

static void a_frame_belongs_to_one_view(void) {
    mf_memory *m = memory_of(&region, 1, (mf_heap){0});
    steps s = {0};
    mf_fault fault;
    expect(!mf_guard_run(mf_memory_view(m), runs_on_a_second_view, &s, &fault));
    expect(s.reached == 20 && fault.page == 5 * PAGE && s.second.fault.kind == MF_FAULT_NONE);
    /* The inner frame is gone with the outer one: its view has none, and can have one again. */
    expect(mf_memory_view(m)->guard == NULL && s.second.guard == NULL);
    expect(!mf_guard_run(&s.second, faults, &s, &fault) && fault.page == PAGE);
    mf_view_detach(&s.second);
    mf_memory_destroy(m);
}

static void frames_can_be_entered_again(void) {
    mf_memory *m = memory_of(&region, 1, (mf_heap){0});
    for (int i = 0; i < 20000; i++) {
        steps s = {0};
        expect(mf_guard_run(mf_memory_view(m), i % 2 ? ends : faults, &s, NULL) == (i % 2 != 0));
    }
    expect(mf_memory_view(m)->guard == NULL);
    mf_memory_destroy(m);
}

static const test tests[] = {
    TEST(a_body_that_ends),
    TEST(a_fault_leaves_the_body),
    TEST(only_the_innermost_frame_is_left),
    TEST(a_frame_belongs_to_one_view),
    TEST(frames_can_be_entered_again),
};

int main(void) {
    return RUN_TESTS(tests);
}
