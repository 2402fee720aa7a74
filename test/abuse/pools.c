/*
 * Every call that pools make of the host, refused in its turn: a memory as mf_memory_create makes it or a
 * status that says why, no right and no byte of the guest before, and nothing left behind.
 *
 * RUN: %cc -D_GNU_SOURCE %s %S/lib/refuse_calls.c %S/lib/host_agrees.c %refuse-calls -o %t %runtime
 * RUN: %t | FileCheck %s
 *
 * UNSUPPORTED: sanitize-thread
 *
 * CHECK: copy, another layout: {{[0-9]+}} calls
 * CHECK-NEXT: copy, another image: {{[1-9][0-9]*}} calls
 * CHECK-NEXT: copy, an image and none: {{[1-9][0-9]*}} calls
 * CHECK-NEXT: copy, return: {{[1-9][0-9]*}} calls
 * CHECK-NEXT: copy, return of an image: {{[1-9][0-9]*}} calls
 * CHECK-NEXT: copy, clone: {{[0-9]+}} calls
 * CHECK-NEXT: copy, clone of an image: {{[0-9]+}} calls
 * CHECK-NEXT: x86_paged, another layout: {{[1-9][0-9]*}} calls
 * CHECK-NEXT: x86_paged, another image: {{[1-9][0-9]*}} calls
 * CHECK-NEXT: x86_paged, an image and none: {{[1-9][0-9]*}} calls
 * CHECK-NEXT: x86_paged, return: {{[1-9][0-9]*}} calls
 * CHECK-NEXT: x86_paged, return of an image: {{[1-9][0-9]*}} calls
 * CHECK-NEXT: x86_paged, clone: {{[1-9][0-9]*}} calls
 * CHECK-NEXT: x86_paged, clone of an image: {{[1-9][0-9]*}} calls
 * CHECK-NEXT: nothing was left behind
 */
#include "lib/every_call.h"
#include "lib/host_agrees.h"
#include "../runtime/support.h"

#include <memfold/pool.h>

/* Enough for a part of an image that memories map, and for one that they do not. */
#define PAGES 96

typedef struct guest {
    mf_layout *layout;
    mf_image *image;
    unsigned char first; /* byte of the image's large part, 0 without an image */
} guest;

typedef struct scenario {
    const char *name;
    bool first_has_image;
    bool second_has_image;
    bool refuses_return; /* or else the hand-out to the second */
} scenario;

/* `at` is where the regions begin: guests at 8 and at 0 share some pages. */
static guest make_guest(uint32_t at, bool has_image, unsigned char byte) {
    static unsigned char bytes[40 * MF_PAGE_SIZE];
    guest made = {.first = has_image ? byte : 0};
    mf_layout_builder *builder = mf_layout_builder_create();
    memset(bytes, byte, sizeof bytes);
    expect_ok(mf_layout_builder_map_region(builder, at * PAGE, 48 * PAGE, MF_READ_WRITE, NULL, 0, NULL));
    expect_ok(mf_layout_builder_map_region(builder, (at + 52) * PAGE, PAGE, MF_READ_ONLY, NULL, 0, NULL));
    if (has_image) {
        expect_ok(mf_layout_builder_set_bytes(builder, at * PAGE, bytes, sizeof bytes, NULL));
        expect_ok(mf_layout_builder_set_bytes(builder, (at + 60) * PAGE, bytes, PAGE, NULL)); /* hidden */
    }
    expect_ok(mf_layout_builder_finish(builder, &made.layout, has_image ? &made.image : NULL, NULL));
    mf_layout_builder_destroy(builder);
    return made;
}

static void release_guest(guest g) {
    mf_layout_release(g.layout);
    mf_image_release(g.image);
}

static void expect_fresh(mf_memory *memory, const guest *g, uint32_t at) {
    unsigned char page[MF_PAGE_SIZE];
    mf_layout *live;
    expect_ok(mf_memory_layout(memory, &live, NULL));
    expect_here(mf_layout_equal(live, g->layout));
    mf_layout_release(live);
    if (backend == MF_BACKEND_X86_PAGED)
        expect_host_permissions(memory);
    expect_ok(mf_memory_protect(memory, 0, PAGES * PAGE, MF_PERM_RO, NULL));
    for (uint32_t i = 0; i < PAGES; i++) {
        bool has_bytes = (i >= at && i < at + 40) || i == at + 60;
        expect_here(mf_memory_read(memory, i * PAGE, page, PAGE));
        expect_here(page[0] == (has_bytes ? g->first : 0) && memcmp(page, page + 1, PAGE - 1) == 0);
    }
}

/* The first guest leaves bytes, rights and a hole. */
static void leave(mf_pool *pool, const guest *g, bool refuses) {
    mf_memory *memory;
    expect_ok(mf_pool_take(pool, g->layout, g->image, &memory, NULL));
    expect(mf_memory_fill(memory, 8 * PAGE, 0xee, 8 * PAGE));
    expect_ok(mf_memory_unmap(memory, 20 * PAGE, PAGE, NULL));
    expect_ok(mf_memory_map_region(memory, 80 * PAGE, PAGE, MF_READ_WRITE, "secret", 6, NULL));
    if (refuses)
        refusals_begin();
    mf_pool_give(pool, memory);
    if (refuses)
        refusals_end();
}

static void take(mf_pool *pool, const guest *g, uint32_t at, bool refuses) {
    mf_memory *memory = NULL;
    mf_diag diag = {0};
    if (refuses)
        refusals_begin();
    mf_status status = mf_pool_take(pool, g->layout, g->image, &memory, &diag);
    if (refuses)
        refusals_end();
    if (was_refused(status, &diag))
        expect_ok(mf_pool_take(pool, g->layout, g->image, &memory, NULL));
    mf_memory *clone;
    expect_ok(mf_memory_clone(memory, &clone, NULL));
    expect_fresh(memory, g, at);
    expect_fresh(clone, g, at);
    expect_ok(mf_memory_reset(memory, NULL));
    expect_fresh(memory, g, at);
    mf_memory_destroy(memory);
    mf_memory_destroy(clone);
}

/* What the memory that is cloned has: other bytes in shared and in small runs, a hole, and another right. */
static void prepare(mf_memory *memory, uint32_t at) {
    expect(mf_memory_fill(memory, (at + 2) * PAGE, 0x77, 3 * PAGE));
    expect_ok(mf_memory_unmap(memory, (at + 10) * PAGE, 2 * PAGE, NULL));
    expect_ok(mf_memory_protect(memory, (at + 30) * PAGE, PAGE, MF_PERM_RO, NULL));
    expect_ok(mf_memory_map_region(memory, (at + 60) * PAGE, PAGE, MF_READ_WRITE, "p", 1, NULL));
    expect_ok(mf_memory_protect(memory, (at + 60) * PAGE, PAGE, MF_PERM_NONE, NULL));
}

static void expect_same(mf_memory *memory, mf_memory *wanted) {
    mf_layout *layouts[2];
    expect_ok(mf_memory_layout(memory, &layouts[0], NULL));
    expect_ok(mf_memory_layout(wanted, &layouts[1], NULL));
    expect_here(mf_layout_equal(layouts[0], layouts[1]));
    if (backend == MF_BACKEND_X86_PAGED)
        expect_host_permissions(memory);
    expect_ok(mf_memory_protect(memory, 0, PAGES * PAGE, MF_PERM_RO, NULL));
    expect_ok(mf_memory_protect(wanted, 0, PAGES * PAGE, MF_PERM_RO, NULL));
    expect_here(memcmp(mf_memory_view(memory)->base, mf_memory_view(wanted)->base, PAGES * PAGE) == 0);
    mf_layout_release(layouts[0]);
    mf_layout_release(layouts[1]);
}

/* The clone has the state of its source or there is none, and the source has not changed. */
static void run_clone(const void *context) {
    const scenario *s = context;
    const mf_pool_config config = {.memory = &(mf_memory_config){.backend = backend}};
    guest g = make_guest(8, s->second_has_image, 2);
    mf_memory *prepared, *wanted[2], *clone = NULL;
    mf_diag diag = {0};
    mf_pool *pool;
    expect_ok(mf_pool_create(&config, &pool, NULL));
    expect_ok(mf_memory_create(g.layout, g.image, backend, &prepared, NULL));
    prepare(prepared, 8);
    for (int i = 0; i < 2; i++) {
        expect_ok(mf_memory_create(g.layout, g.image, backend, &wanted[i], NULL));
        prepare(wanted[i], 8);
    }
    leave(pool, &g, false);
    refusals_begin();
    mf_status status = mf_pool_clone(pool, prepared, &clone, &diag);
    refusals_end();
    if (was_refused(status, &diag))
        expect_ok(mf_pool_clone(pool, prepared, &clone, NULL));
    expect_same(clone, wanted[0]);
    expect_same(prepared, wanted[1]);
    expect_ok(mf_memory_reset(clone, NULL));
    expect_fresh(clone, &g, 8);
    mf_memory_destroy(clone);
    mf_memory_destroy(prepared);
    mf_memory_destroy(wanted[0]);
    mf_memory_destroy(wanted[1]);
    mf_pool_destroy(pool);
    release_guest(g);
}

static void run(const void *context) {
    const scenario *s = context;
    const mf_pool_config config = {.memory = &(mf_memory_config){.backend = backend}};
    guest first = make_guest(8, s->first_has_image, 1);
    guest second = make_guest(0, s->second_has_image, 2);
    mf_pool *pool;
    expect_ok(mf_pool_create(&config, &pool, NULL));
    leave(pool, &first, s->refuses_return);
    take(pool, &second, 0, !s->refuses_return);
    mf_pool_destroy(pool);
    release_guest(first);
    release_guest(second);
}

int main(void) {
    static const scenario scenarios[] = {
        {"another layout", false, false, false},   {"another image", true, true, false},
        {"an image and none", true, false, false}, {"return", false, true, true},
        {"return of an image", true, true, true},  {"clone", false, false, false},
        {"clone of an image", false, true, false}};
    for (size_t b = 0; b < BACKEND_COUNT; b++) {
        backend = BACKENDS[b].backend;
        for (size_t i = 0; i < sizeof scenarios / sizeof scenarios[0]; i++) {
            char name[64];
            snprintf(name, sizeof name, "%s, %s", BACKENDS[b].name, scenarios[i].name);
            bool clones = strncmp(scenarios[i].name, "clone", 5) == 0;
            refuse_every_call(name, clones ? run_clone : run, &scenarios[i], backend == MF_BACKEND_COPY);
        }
    }
    puts("nothing was left behind");
    return 0;
}
