/*
 * Every call that memories make of the host, refused in its turn: a status that says why or no harm at all,
 * the memory as it was before, byte by byte, nothing left behind, and success at the next attempt.
 *
 * RUN: %cc -D_GNU_SOURCE %s %S/lib/refuse_calls.c %S/lib/host_agrees.c %reference %refuse-calls -o %t %runtime
 * RUN: %t | FileCheck %s
 *
 * UNSUPPORTED: sanitize-thread
 *
 * CHECK: copy create: {{[1-9][0-9]*}} calls
 * CHECK-NEXT: copy clone: {{[1-9][0-9]*}} calls
 * CHECK-NEXT: copy map over read-only: {{[0-9]+}} calls
 * CHECK-NEXT: copy map anew: {{[0-9]+}} calls
 * CHECK-NEXT: copy protect to none: {{[0-9]+}} calls
 * CHECK-NEXT: copy protect three runs: {{[0-9]+}} calls
 * CHECK-NEXT: copy unmap: {{[1-9][0-9]*}} calls
 * CHECK-NEXT: copy sbrk: {{[1-9][0-9]*}} calls
 * CHECK-NEXT: copy sbrk over hidden bytes: {{[1-9][0-9]*}} calls
 * CHECK-NEXT: copy reset after growth: {{[1-9][0-9]*}} calls
 * CHECK-NEXT: copy reset after changes: {{[1-9][0-9]*}} calls
 * CHECK-NEXT: copy layout: {{[1-9][0-9]*}} calls
 * CHECK-NEXT: copy destroy: {{[1-9][0-9]*}} calls
 * CHECK-NEXT: x86_paged create: {{[1-9][0-9]*}} calls
 * CHECK-NEXT: x86_paged clone: {{[1-9][0-9]*}} calls
 * CHECK-NEXT: x86_paged map over read-only: {{[1-9][0-9]*}} calls
 * CHECK-NEXT: x86_paged map anew: {{[1-9][0-9]*}} calls
 * CHECK-NEXT: x86_paged protect to none: {{[1-9][0-9]*}} calls
 * CHECK-NEXT: x86_paged protect three runs: {{[1-9][0-9]*}} calls
 * CHECK-NEXT: x86_paged unmap: {{[1-9][0-9]*}} calls
 * CHECK-NEXT: x86_paged sbrk: {{[1-9][0-9]*}} calls
 * CHECK-NEXT: x86_paged sbrk over hidden bytes: {{[1-9][0-9]*}} calls
 * CHECK-NEXT: x86_paged reset after growth: {{[1-9][0-9]*}} calls
 * CHECK-NEXT: x86_paged reset after changes: {{[1-9][0-9]*}} calls
 * CHECK-NEXT: x86_paged layout: {{[1-9][0-9]*}} calls
 * CHECK-NEXT: x86_paged destroy: {{[1-9][0-9]*}} calls
 * CHECK-NEXT: nothing was left behind
 */
#include "lib/every_call.h"
#include "lib/host_agrees.h"
#include "reference_compare.h"
#include "../runtime/support.h"

#include <memfold/memory.h>

#define PAGES 168
#define HEAP_PAGE 8
#define HIDDEN_HEAP_PAGE 11

typedef struct scene {
    mf_memory *memory;
    reference *reference;
    mf_memory *made; /* by create and clone */
    mf_layout *layout;
    mf_image *image;
    mf_layout *asked;
} scene;

/* No engine is asked for code: the reference is compared with the memory itself. */
const engine ENGINES[] = {{.name = "the memory"}};
const size_t ENGINE_COUNT = 1;

/* ---- The scene ---- */

static void both_map(mf_layout_builder *builder, reference *r, uint32_t page, uint32_t pages,
                     mf_access access, const char *bytes) {
    uint64_t unused;
    size_t count = strlen(bytes);
    expect_ok(mf_layout_builder_map_region(builder, page * PAGE, pages * PAGE, access, bytes, count, NULL));
    expect(reference_map_region(r, page * PAGE, pages * PAGE, access, (const unsigned char *)bytes, count,
                                &unused) == MF_OK);
}

/*
 * Pages 0 and 1 read-only, 2 and 5 read-write, a byte of the image in page 4 without permission, a heap. So
 * many pages above it that a reset does not look at all of them.
 */
static void describe(scene *s) {
    const mf_heap heap = {HEAP_PAGE * PAGE, 8};
    mf_layout_builder *builder = mf_layout_builder_create();
    s->reference = reference_create(heap);
    both_map(builder, s->reference, 0, 2, MF_READ_ONLY, "abc");
    both_map(builder, s->reference, 2, 1, MF_READ_WRITE, "xyz");
    both_map(builder, s->reference, 5, 1, MF_READ_WRITE, "");
    both_map(builder, s->reference, 64, 100, MF_READ_WRITE, "");
    expect_ok(mf_layout_builder_set_bytes(builder, 4 * PAGE, "h", 1, NULL));
    reference_poke(s->reference, 4 * PAGE, 'h');
    expect_ok(mf_layout_builder_set_heap(builder, heap.base, heap.max_pages, NULL));
    expect_ok(mf_layout_builder_finish(builder, &s->layout, &s->image, NULL));
    mf_layout_builder_destroy(builder);
    reference_seal(s->reference);
}

static void both_write(scene *s, uint32_t address, const char *bytes) {
    size_t count = strlen(bytes);
    expect(mf_memory_write(s->memory, address, bytes, count));
    expect(reference_write(s->reference, address, (const unsigned char *)bytes, count));
}

static void both_sbrk(scene *s, uint64_t bytes) {
    uint64_t top, expected;
    expect_ok(mf_memory_sbrk(s->memory, bytes, &top, NULL));
    expect(reference_sbrk(s->reference, bytes, &expected) && top == expected);
}

static void both_protect(scene *s, uint32_t page, uint32_t pages, mf_perm perm) {
    uint64_t unused;
    expect_ok(mf_memory_protect(s->memory, page * PAGE, pages * PAGE, perm, NULL));
    expect(reference_protect(s->reference, page * PAGE, pages * PAGE, perm, &unused) == MF_OK);
}

static void both_hide(scene *s, uint32_t page) {
    both_protect(s, page, 1, MF_PERM_RW);
    both_write(s, page * PAGE, "hidden");
    both_protect(s, page, 1, MF_PERM_NONE);
}

/* Bytes in use, a page of the heap, and, `changed`, two pages whose bytes are hidden. */
static void open_scene(scene *s, bool changed) {
    *s = (scene){0};
    describe(s);
    expect_ok(mf_memory_create(s->layout, s->image, backend, &s->memory, NULL));
    both_write(s, 2 * PAGE + 7, "in use");
    both_write(s, 5 * PAGE, "too");
    both_sbrk(s, PAGE + 5);
    both_write(s, HEAP_PAGE * PAGE, "heap");
    if (changed) {
        both_hide(s, 3);
        both_hide(s, HIDDEN_HEAP_PAGE);
    }
}

static void close_scene(scene *s) {
    mf_memory_destroy(s->memory);
    mf_memory_destroy(s->made);
    mf_layout_release(s->layout);
    mf_image_release(s->image);
    mf_layout_release(s->asked);
    reference_destroy(s->reference);
}

/* ---- The comparison ---- */

/* The pages above are not there, or the length would say so. */
static void compare(const reference *r, mf_memory *memory) {
    subject subject = {.engine = ENGINES, .memory = memory, .view = mf_memory_view(memory)};
    for (uint32_t page = 0; page < PAGES; page++)
        expect_here(mf_memory_perm_of(memory, page * PAGE) == (mf_perm)r->now.perms[page]);
    expect_here(mf_memory_len(memory) == reference_len(r) && mf_memory_len(memory) <= PAGES * PAGE);
    expect_here(mf_memory_heap_top(memory) == r->now.heap_top);
    compare_bytes(r, &subject);
    if (backend == MF_BACKEND_X86_PAGED)
        expect_host_permissions(memory);
}

/* Hidden bytes count too: every page is opened. */
static void compare_hidden(reference *r, mf_memory *memory) {
    uint64_t unused;
    expect_ok(mf_memory_protect(memory, 0, PAGES * PAGE, MF_PERM_RW, NULL));
    expect(reference_protect(r, 0, PAGES * PAGE, MF_PERM_RW, &unused) == MF_OK);
    compare(r, memory);
}

/* ---- The operations: on the memory, and then on the reference ---- */

typedef struct operation {
    const char *name;
    mf_status (*perform)(scene *s, mf_diag *diag);
    void (*follow)(scene *s);
    bool changed; /* the scene's hidden pages */
    bool makes;   /* another memory, and this one stays as it is */
} operation;

static mf_status perform_create(scene *s, mf_diag *diag) {
    return mf_memory_create(s->layout, s->image, backend, &s->made, diag);
}

static void follow_create(scene *s) {
    reference_reset(s->reference);
}

static mf_status perform_clone(scene *s, mf_diag *diag) {
    return mf_memory_clone(s->memory, &s->made, diag);
}

static void follow_nothing(scene *s) {
    (void)s;
}

static mf_status perform_map_over(scene *s, mf_diag *diag) {
    return mf_memory_map_region(s->memory, PAGE, 3 * PAGE, MF_READ_ONLY, "new", 3, diag);
}

static void follow_map_over(scene *s) {
    uint64_t unused;
    reference_map_region(s->reference, PAGE, 3 * PAGE, MF_READ_ONLY, (const unsigned char *)"new", 3,
                         &unused);
}

static mf_status perform_map_anew(scene *s, mf_diag *diag) {
    return mf_memory_map_region(s->memory, 20 * PAGE, 2 * PAGE, MF_READ_WRITE, "new", 3, diag);
}

static void follow_map_anew(scene *s) {
    uint64_t unused;
    reference_map_region(s->reference, 20 * PAGE, 2 * PAGE, MF_READ_WRITE, (const unsigned char *)"new", 3,
                         &unused);
}

static mf_status perform_hide(scene *s, mf_diag *diag) {
    return mf_memory_protect(s->memory, 2 * PAGE, PAGE, MF_PERM_NONE, diag);
}

static void follow_hide(scene *s) {
    uint64_t unused;
    reference_protect(s->reference, 2 * PAGE, PAGE, MF_PERM_NONE, &unused);
}

static mf_status perform_open(scene *s, mf_diag *diag) {
    return mf_memory_protect(s->memory, PAGE, 4 * PAGE, MF_PERM_RW, diag);
}

static void follow_open(scene *s) {
    uint64_t unused;
    reference_protect(s->reference, PAGE, 4 * PAGE, MF_PERM_RW, &unused);
}

static mf_status perform_unmap(scene *s, mf_diag *diag) {
    return mf_memory_unmap(s->memory, PAGE, 3 * PAGE, diag);
}

static void follow_unmap(scene *s) {
    uint64_t unused;
    reference_unmap(s->reference, PAGE, 3 * PAGE, &unused);
}

static mf_status perform_sbrk(scene *s, mf_diag *diag) {
    uint64_t top;
    return mf_memory_sbrk(s->memory, 2 * PAGE, &top, diag);
}

static void follow_sbrk(scene *s) {
    uint64_t top;
    reference_sbrk(s->reference, 2 * PAGE, &top);
}

static mf_status perform_reset(scene *s, mf_diag *diag) {
    return mf_memory_reset(s->memory, diag);
}

static void follow_reset(scene *s) {
    reference_reset(s->reference);
}

static mf_status perform_layout(scene *s, mf_diag *diag) {
    return mf_memory_layout(s->memory, &s->asked, diag);
}

/* Cannot be refused: what the host keeps is not the caller's. */
static mf_status perform_destroy(scene *s, mf_diag *diag) {
    (void)diag;
    mf_memory_destroy(s->memory);
    s->memory = NULL;
    return MF_OK;
}

static const operation OPERATIONS[] = {
    {"create", perform_create, follow_create, false, true},
    {"clone", perform_clone, follow_nothing, true, true},
    {"map over read-only", perform_map_over, follow_map_over, true, false},
    {"map anew", perform_map_anew, follow_map_anew, false, false},
    {"protect to none", perform_hide, follow_hide, false, false},
    {"protect three runs", perform_open, follow_open, true, false},
    {"unmap", perform_unmap, follow_unmap, true, false},
    {"sbrk", perform_sbrk, follow_sbrk, false, false},
    {"sbrk over hidden bytes", perform_sbrk, follow_sbrk, true, false},
    {"reset after growth", perform_reset, follow_reset, false, false},
    {"reset after changes", perform_reset, follow_reset, true, false},
    {"layout", perform_layout, follow_nothing, true, false},
    {"destroy", perform_destroy, follow_nothing, true, false},
};

/* ---- One run ---- */

/* The memory is what it was; where another was to be made there is none. */
static void expect_unchanged(const scene *s) {
    expect_here(s->made == NULL && s->asked == NULL);
    compare(s->reference, s->memory);
}

/* A refused sbrk has left the bytes where it wanted to grow. */
static void expect_hidden(scene *s) {
    both_protect(s, HIDDEN_HEAP_PAGE, 1, MF_PERM_RO);
    compare(s->reference, s->memory);
    both_protect(s, HIDDEN_HEAP_PAGE, 1, MF_PERM_NONE);
}

static void run(const void *context) {
    const operation *operation = context;
    scene s;
    mf_diag diag = {0};
    open_scene(&s, operation->changed);
    refusals_begin();
    mf_status status = operation->perform(&s, &diag);
    refusals_end();
    if (was_refused(status, &diag)) {
        expect_unchanged(&s);
        if (operation->perform == perform_sbrk && operation->changed)
            expect_hidden(&s);
        expect_here(operation->perform(&s, &diag) == MF_OK);
    }
    if (operation->makes)
        compare(s.reference, s.memory);
    operation->follow(&s);
    mf_memory *result = operation->makes ? s.made : s.memory;
    if (result != NULL) {
        compare(s.reference, result);
        compare_hidden(s.reference, result);
    }
    close_scene(&s);
}

/*
 * On x86_paged a permission that the host refuses to give back for a second ends in a panic, so there not all
 * calls are refused for good but where a memory is made or goes.
 */
static bool answers_all(const operation *operation) {
    return backend == MF_BACKEND_COPY || operation->perform == perform_create ||
           operation->perform == perform_layout || operation->perform == perform_destroy;
}

static void run_operations(const char *backend_name) {
    for (size_t i = 0; i < sizeof OPERATIONS / sizeof OPERATIONS[0]; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s %s", backend_name, OPERATIONS[i].name);
        refuse_every_call(name, run, &OPERATIONS[i], answers_all(&OPERATIONS[i]));
    }
}

static void describe_refusal(void) {
    printf("after call %u (%s) of %s was refused, %u in a row\n", scenario_now.n,
           scenario_now.call == NULL ? "none" : scenario_now.call, scenario_now.name, scenario_now.count);
}

int main(void) {
    compare_describe = describe_refusal;
    for (size_t b = 0; b < BACKEND_COUNT; b++) {
        backend = BACKENDS[b].backend;
        run_operations(BACKENDS[b].name);
    }
    puts("nothing was left behind");
    return 0;
}
