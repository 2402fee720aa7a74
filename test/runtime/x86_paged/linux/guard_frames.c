/*
 * Guard frames on x86_paged: any access of any code to the window is caught, and the record says what the MMU
 * and the live permissions tell.
 *
 * RUN: %cc -D_GNU_SOURCE %s -o %t %runtime && %t | FileCheck %s
 *
 * CHECK: records
 * CHECK-NEXT: straddles
 * CHECK-NEXT: nesting
 * CHECK-NEXT: two views
 * CHECK-NEXT: two memories
 * CHECK-NEXT: frames in between
 * CHECK-NEXT: the table comes first
 * CHECK-NEXT: software traps
 * CHECK-NEXT: library calls
 * CHECK-NEXT: often
 */
#include "asm_accessors.h"
#include "host.h"

/* Page 0 is read-write, 1 read-only, 2 without permission. */
static mf_memory *new_memory(void) {
    const mf_region regions[] = {{0, PAGE, MF_READ_WRITE}, {PAGE, PAGE, MF_READ_ONLY}};
    return memory_of(regions, 2, (mf_heap){0});
}

typedef struct plain_access {
    uint64_t index;
    mf_operation operation;
    uint32_t bytes;
} plain_access;

/* The memory operand is volatile, so each is exactly one access. */
#define TOUCH(type)                                                                                          \
    do {                                                                                                     \
        volatile type *place = (volatile type *)(view->base + a->index);                                     \
        if (a->operation == MF_STORE) {                                                                      \
            *place = (type)0x1111111111111111;                                                               \
        } else {                                                                                             \
            (void)*place;                                                                                    \
        }                                                                                                    \
    } while (0)

#if defined(__clang__) || defined(__GNUC__)
__attribute__((no_sanitize("undefined", "address")))
#endif
static void
touch(mf_view *view, void *context) {
    const plain_access *a = context;
    switch (a->bytes) {
    case 1:
        TOUCH(uint8_t);
        break;
    case 2:
        TOUCH(uint16_t);
        break;
    case 4:
        TOUCH(uint32_t);
        break;
    default:
        TOUCH(uint64_t);
    }
}

static mf_fault fault_of(mf_view *view, uint64_t index, mf_operation operation, uint32_t bytes) {
    mf_fault fault = {0};
    plain_access a = {index, operation, bytes};
    bool done = mf_guard_run(view, touch, &a, &fault);
    expect(done == (fault.kind == MF_FAULT_NONE));
    expect(done || memcmp(&fault, &view->fault, sizeof fault) == 0);
    return fault;
}

static void records(void) {
    mf_memory *m = new_memory();
    mf_view *view = mf_memory_view(m);
    expect(fault_of(view, 0, MF_STORE, 1).kind == MF_FAULT_NONE);
    expect(fault_of(view, PAGE, MF_LOAD, 1).kind == MF_FAULT_NONE);
    expect(fault_is(fault_of(view, PAGE + 9, MF_STORE, 1), MF_WRITE_PROTECTED, MF_STORE, PAGE, PAGE + 9, 0));
    expect(fault_is(fault_of(view, 2 * PAGE + 1, MF_STORE, 1), MF_PAGE_FAULT, MF_STORE, 2 * PAGE,
                    2 * PAGE + 1, 0));
    expect(fault_is(fault_of(view, 2 * PAGE + 1, MF_LOAD, 1), MF_PAGE_FAULT, MF_LOAD, 2 * PAGE, 2 * PAGE + 1,
                    0));
    expect(fault_is(fault_of(view, TOP - 1, MF_LOAD, 1), MF_PAGE_FAULT, MF_LOAD, TOP - PAGE, TOP - 1, 0));
    expect(fault_is(fault_of(view, TOP + 5, MF_LOAD, 1), MF_PAGE_FAULT, MF_LOAD, TOP, TOP + 5, 0));
    expect(
        fault_is(fault_of(view, 2 * TOP + 5, MF_STORE, 1), MF_PAGE_FAULT, MF_STORE, 2 * TOP, 2 * TOP + 5, 0));
    mf_memory_destroy(m);
    puts("records");
}

/* The address is the first byte that cannot be accessed, and nothing is written before it. */
static void check_straddle(mf_memory *m, uint64_t index, mf_operation operation, uint32_t bytes) {
    mf_perm least = operation == MF_STORE ? MF_PERM_RW : MF_PERM_RO;
    mf_fault want = {0};
    for (uint64_t i = index; i < index + bytes && want.kind == MF_FAULT_NONE; i++) {
        mf_perm perm = mf_memory_perm_of(m, (uint32_t)i);
        if (perm < least) {
            want = (mf_fault){perm == MF_PERM_RO ? MF_WRITE_PROTECTED : MF_PAGE_FAULT, operation,
                              i / PAGE * PAGE, i, 0};
        }
    }
    mf_fault got = fault_of(mf_memory_view(m), index, operation, bytes);
    expect(memcmp(&got, &want, sizeof got) == 0);
}

static void straddles(void) {
    const uint32_t border = 8 * PAGE;
    mf_memory *m = memory_of(NULL, 0, (mf_heap){0});
    for (int pair = 0; pair < 9; pair++) {
        for (uint32_t bytes = 2; bytes <= 8; bytes *= 2) {
            for (uint32_t index = border - bytes; index <= border; index++) {
                expect_ok(mf_memory_protect(m, border - PAGE, PAGE, (mf_perm)(pair % 3), NULL));
                expect_ok(mf_memory_protect(m, border, PAGE, (mf_perm)(pair / 3), NULL));
                check_straddle(m, index, MF_LOAD, bytes);
                check_straddle(m, index, MF_STORE, bytes);
                bool stored = mf_memory_is_accessible(m, index, bytes, MF_STORE);
                expect_ok(mf_memory_protect(m, border - PAGE, 2 * PAGE, MF_PERM_RW, NULL));
                for (uint32_t i = border - 8; i < border + 8; i++)
                    expect(byte_at(m, i) == (stored && i - index < bytes ? 0x11 : 0));
                expect(mf_memory_fill(m, border - 8, 0, 16));
            }
        }
    }
    mf_memory_destroy(m);
    puts("straddles");
}

/* ---- Frames -------------------------------------------------------------------------------- */

typedef struct scene {
    mf_view *outer;
    mf_view *inner;
    mf_view *innermost;
    mf_view further;
    mf_fault fault;
    int reached;
} scene;

static void fault_at(mf_view *view, uint64_t index) {
    touch(view, &(plain_access){index, MF_LOAD, 1});
}

static void fault_inside(mf_view *view, void *context) {
    ((scene *)context)->reached++;
    fault_at(view, 3 * PAGE);
    expect(false);
}

static void nest(mf_view *view, void *context) {
    scene *s = context;
    struct mf_guard *frame = view->guard;
    expect(!mf_guard_run(view, fault_inside, s, &s->fault));
    expect(view->guard == frame && s->fault.page == 3 * PAGE);
    fault_at(view, 5 * PAGE);
    expect(false);
}

static void nesting(void) {
    mf_memory *m = new_memory();
    scene s = {0};
    mf_fault fault;
    expect(!mf_guard_run(mf_memory_view(m), nest, &s, &fault));
    expect(s.reached == 1 && fault.page == 5 * PAGE && mf_memory_view(m)->guard == NULL);
    mf_memory_destroy(m);
    puts("nesting");
}

/* The record goes to the innermost frame's view, whichever view the access went through. */
static void fault_with_further(mf_view *view, void *context) {
    scene *s = context;
    fault_at(s->outer, 4 * PAGE);
    expect(view == NULL);
}

static void run_further(mf_view *view, void *context) {
    scene *s = context;
    s->outer = view;
    expect(!mf_guard_run(&s->further, fault_with_further, s, &s->fault));
    s->reached = 1;
}

static void two_views(void) {
    mf_memory *m = new_memory();
    scene s = {0};
    mf_view_attach(&s.further, m);
    expect(mf_guard_run(mf_memory_view(m), run_further, &s, NULL));
    expect(s.reached == 1 && s.fault.page == 4 * PAGE && s.further.fault.page == 4 * PAGE);
    expect(mf_memory_last_fault(m).kind == MF_FAULT_NONE);
    mf_view_detach(&s.further);
    mf_memory_destroy(m);
    puts("two views");
}

/* The inner frame is another memory's; the fault passes it. */
static void fault_in_outer(mf_view *view, void *context) {
    scene *s = context;
    expect(view == s->inner && s->inner->guard != NULL);
    fault_at(s->outer, 6 * PAGE);
    expect(false);
}

static void run_inner(mf_view *view, void *context) {
    scene *s = context;
    expect(view == s->outer);
    mf_guard_run(s->inner, fault_in_outer, s, NULL);
    expect(false);
}

static void two_memories(void) {
    mf_memory *m = new_memory(), *other = new_memory();
    scene s = {.outer = mf_memory_view(m), .inner = mf_memory_view(other)};
    mf_fault fault;
    for (int i = 0; i < 2; i++) {
        expect(!mf_guard_run(s.outer, run_inner, &s, &fault));
        expect(fault.page == 6 * PAGE && s.inner->fault.kind == MF_FAULT_NONE);
        expect(s.outer->guard == NULL && s.inner->guard == NULL);
    }
    expect(!mf_guard_run(s.inner, fault_inside, &s, &fault) && fault.page == 3 * PAGE);
    mf_memory_destroy(m);
    mf_memory_destroy(other);
    puts("two memories");
}

/* outer, inner, innermost, inner again: leaving outer takes all four off their views. */
static void fault_far_out(mf_view *view, void *context) {
    (void)view;
    scene *s = context;
    fault_at(s->outer, 7 * PAGE);
}

static void run_inner_again(mf_view *view, void *context) {
    (void)view;
    mf_guard_run(((scene *)context)->inner, fault_far_out, context, NULL);
}

static void run_innermost(mf_view *view, void *context) {
    (void)view;
    mf_guard_run(((scene *)context)->innermost, run_inner_again, context, NULL);
}

static void run_all(mf_view *view, void *context) {
    (void)view;
    mf_guard_run(((scene *)context)->inner, run_innermost, context, NULL);
}

static void frames_in_between(void) {
    mf_memory *m = new_memory(), *other = new_memory(), *copy;
    expect_ok(mf_memory_create(NULL, NULL, MF_BACKEND_COPY, &copy, NULL));
    scene s = {.outer = mf_memory_view(m), .inner = mf_memory_view(other), .innermost = mf_memory_view(copy)};
    mf_fault fault;
    expect(!mf_guard_run(s.outer, run_all, &s, &fault) && fault.page == 7 * PAGE);
    expect(s.outer->guard == NULL && s.inner->guard == NULL && s.innermost->guard == NULL);
    mf_memory_destroy(m);
    mf_memory_destroy(other);
    mf_memory_destroy(copy);
    puts("frames in between");
}

/* An access with an entry goes to its fault edge, also inside a frame. */
static void use_table(mf_view *view, void *context) {
    expect(asm_load_u16(view, 2 * PAGE - 1).status == MF_PAGE_FAULT);
    *(mf_fault *)context = view->fault;
}

static void the_table_comes_first(void) {
    mf_memory *m = new_memory();
    mf_fault fault;
    register_accessors();
    expect(mf_guard_run(mf_memory_view(m), use_table, &fault, NULL));
    expect(fault_is(fault, MF_PAGE_FAULT, MF_LOAD, 2 * PAGE, 2 * PAGE - 1, 2));
    unregister_accessors();
    mf_memory_destroy(m);
    puts("the table comes first");
}

/* The generic engine checks in software and knows where the access began. */
static void use_generic(mf_view *view, void *context) {
    (void)context;
    const mf_accessors *a = mf_generic_accessors(&(mf_accessor_options){.on_fault = MF_ON_FAULT_TRAP});
    ((mf_load_trap_fn *)(mf_accessor_fn *)a->load_u32)(view, 2 * PAGE - 1);
    expect(false);
}

static void software_traps(void) {
    mf_memory *m = new_memory();
    mf_fault fault;
    expect(!mf_guard_run(mf_memory_view(m), use_generic, NULL, &fault));
    expect(fault_is(fault, MF_PAGE_FAULT, MF_LOAD, 2 * PAGE, 2 * PAGE - 1, 4));
    mf_memory_destroy(m);
    puts("software traps");
}

/* The C library touches the window on our behalf. */
static void use_library(mf_view *view, void *context) {
    memset(view->base, 0, *(size_t *)context);
    expect(false);
}

static void library_calls(void) {
    mf_memory *m = new_memory();
    mf_fault fault;
    volatile size_t bytes = 2 * PAGE;
    expect(!mf_guard_run(mf_memory_view(m), use_library, (void *)(uintptr_t)&bytes, &fault));
    expect(fault.kind == MF_WRITE_PROTECTED && fault.operation == MF_STORE && fault.page == PAGE);
    mf_memory_destroy(m);
    puts("library calls");
}

static void often(void) {
    mf_memory *m = new_memory();
    for (uint32_t i = 0; i < 100000; i++) {
        mf_fault fault = fault_of(mf_memory_view(m), (uint64_t)i << 12, MF_STORE, 1);
        expect(i == 0 ? fault.kind == MF_FAULT_NONE : fault.page == (uint64_t)i << 12);
    }
    mf_memory_destroy(m);
    puts("often");
}

int main(void) {
    backend = MF_BACKEND_X86_PAGED;
    records();
    straddles();
    nesting();
    two_views();
    two_memories();
    frames_in_between();
    the_table_comes_first();
    software_traps();
    library_calls();
    often();
    return 0;
}
