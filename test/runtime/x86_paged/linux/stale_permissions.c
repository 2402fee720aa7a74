/*
 * After each change of permissions the very next access sees it, in the MMU and in the record: reset,
 * protect, unmap, map_region, sbrk, and a clone taken in any state. Random changes, compared with the generic
 * engine on a copy memory that is changed in the same way.
 *
 * RUN: %cc -D_GNU_SOURCE %s -o %t %runtime && %t | FileCheck %s
 *
 * CHECK: protect there and back
 * CHECK-NEXT: reset
 * CHECK-NEXT: clone
 * CHECK-NEXT: 4000 random changes
 */
#include "asm_accessors.h"
#include "host.h"

static void expect_store(mf_memory *m, uint32_t address, uint32_t status) {
    expect(asm_store_u8(mf_memory_view(m), address, 0x5a) == status);
    expect(status == 0 || fault_is(mf_memory_last_fault(m), (mf_fault_kind)status, MF_STORE,
                                   address / PAGE * PAGE, address, 1));
}

static void expect_load(mf_memory *m, uint32_t address, uint32_t status, uint8_t value) {
    mf_load_result loaded = asm_load_u8(mf_memory_view(m), address);
    expect(loaded.status == status && loaded.value == value);
}

static void protect_there_and_back(void) {
    mf_memory *m = memory_of(&(mf_region){0, 4 * PAGE, MF_READ_WRITE}, 1, (mf_heap){0});
    for (int i = 0; i < 200; i++) {
        expect_store(m, PAGE, 0);
        expect_ok(mf_memory_protect(m, PAGE, PAGE, MF_PERM_RO, NULL));
        expect_store(m, PAGE, MF_WRITE_PROTECTED);
        expect_load(m, PAGE, 0, 0x5a);
        expect_ok(mf_memory_protect(m, 0, 3 * PAGE, MF_PERM_NONE, NULL));
        expect_store(m, PAGE, MF_PAGE_FAULT);
        expect_load(m, PAGE, MF_PAGE_FAULT, 0);
        expect_ok(mf_memory_protect(m, 0, 3 * PAGE, MF_PERM_RW, NULL));
        expect_load(m, PAGE, 0, 0x5a);
    }
    mf_memory_destroy(m);
    puts("protect there and back");
}

/* By both ways: with nothing but stores and sbrk since creation, and with other permissions. */
static void reset(void) {
    mf_layout_builder *builder = mf_layout_builder_create();
    mf_layout *layout;
    mf_image *image;
    mf_memory *m;
    uint64_t old;
    expect_ok(mf_layout_builder_map_region(builder, 0, PAGE, MF_READ_ONLY, "ro", 2, NULL));
    expect_ok(mf_layout_builder_map_region(builder, 2 * PAGE, 2 * PAGE, MF_READ_WRITE, "rw", 2, NULL));
    expect_ok(mf_layout_builder_set_bytes(builder, 3 * PAGE - 1, "ab", 2, NULL));
    expect_ok(mf_layout_builder_set_bytes(builder, 6 * PAGE, "h", 1, NULL));
    expect_ok(mf_layout_builder_set_heap(builder, 6 * PAGE, 4, NULL));
    expect_ok(mf_layout_builder_finish(builder, &layout, &image, NULL));
    expect_ok(mf_memory_create(layout, image, backend, &m, NULL));
    for (int i = 0; i < 40; i++) {
        expect_store(m, 2 * PAGE, 0);
        expect_store(m, 3 * PAGE + 9, 0);
        if (i % 4 >= 1) {
            expect_ok(mf_memory_sbrk(m, 2 * PAGE, &old, NULL));
            expect_load(m, 6 * PAGE, 0, 0);
            expect_store(m, 6 * PAGE, 0);
        }
        if (i % 4 >= 2) {
            expect_ok(mf_memory_protect(m, 0, PAGE, MF_PERM_RW, NULL));
            expect_store(m, 0, 0);
            expect_ok(mf_memory_map_region(m, PAGE, PAGE, MF_READ_WRITE, "x", 1, NULL));
        }
        if (i % 4 >= 3)
            expect_ok(mf_memory_unmap(m, 2 * PAGE, 2 * PAGE, NULL));
        expect_ok(mf_memory_reset(m, NULL));
        expect_host_agrees(m);
        expect_store(m, 0, MF_WRITE_PROTECTED);
        expect_store(m, PAGE, MF_PAGE_FAULT);
        expect_store(m, 6 * PAGE, MF_PAGE_FAULT);
        expect_load(m, 0, 0, 'r');
        expect_load(m, 2 * PAGE, 0, 'r');
        expect_load(m, 3 * PAGE - 1, 0, 'a');
        expect_load(m, 3 * PAGE, 0, 'b');
        expect_load(m, 3 * PAGE + 9, 0, 0);
        expect_ok(mf_memory_protect(m, PAGE, PAGE, MF_PERM_RO, NULL));
        expect_ok(mf_memory_protect(m, 6 * PAGE, PAGE, MF_PERM_RO, NULL));
        expect_load(m, PAGE, 0, 0);
        expect_load(m, 6 * PAGE, 0, 'h');
        expect_ok(mf_memory_reset(m, NULL));
    }
    mf_layout_release(layout);
    mf_image_release(image);
    mf_layout_builder_destroy(builder);
    mf_memory_destroy(m);
    puts("reset");
}

static void clone(void) {
    mf_memory *m = memory_of(&(mf_region){0, 4 * PAGE, MF_READ_WRITE}, 1, (mf_heap){0}), *copy;
    expect_store(m, 0, 0);
    expect_store(m, PAGE, 0);
    expect_store(m, 2 * PAGE, 0);
    expect_ok(mf_memory_protect(m, PAGE, PAGE, MF_PERM_RO, NULL));
    expect_ok(mf_memory_protect(m, 2 * PAGE, PAGE, MF_PERM_NONE, NULL));
    expect_ok(mf_memory_clone(m, &copy, NULL));
    for (int i = 0; i < 2; i++) {
        mf_memory *one = i == 0 ? copy : m;
        expect_host_agrees(one);
        expect_load(one, 0, 0, 0x5a);
        expect_load(one, PAGE, 0, 0x5a);
        expect_store(one, PAGE, MF_WRITE_PROTECTED);
        expect_load(one, 2 * PAGE, MF_PAGE_FAULT, 0);
        expect_ok(mf_memory_protect(one, 2 * PAGE, PAGE, MF_PERM_RO, NULL));
        expect_load(one, 2 * PAGE, 0, 0x5a);
    }
    mf_memory_destroy(m);
    mf_memory_destroy(copy);
    puts("clone");
}

/* ---- Two memories, one history ------------------------------------------------------------- */

enum { PAGES = 48, CHANGES = 4000 };

typedef struct change {
    int what;
    uint64_t start;
    uint64_t size;
    mf_perm perm;
    uint8_t byte;
} change;

static mf_memory *apply(mf_memory *m, const change *c) {
    uint64_t old;
    mf_memory *other;
    switch (c->what) {
    case 0:
        expect_ok(mf_memory_reset(m, NULL));
        return m;
    case 1:
        expect_ok(mf_memory_unmap(m, c->start, c->size, NULL));
        return m;
    case 2:
    case 3:
        expect_ok(mf_memory_map_region(m, c->start, c->size, c->what == 2 ? MF_READ_ONLY : MF_READ_WRITE,
                                       &c->byte, 1, NULL));
        return m;
    case 4:
        mf_memory_sbrk(m, c->size / 3, &old, NULL);
        return m;
    case 5:
        expect_ok(mf_memory_clone(m, &other, NULL));
        mf_memory_destroy(m);
        return other;
    default:
        expect_ok(mf_memory_protect(m, c->start, c->size, c->perm, NULL));
        return m;
    }
}

static mf_memory *same_memory(mf_backend on) {
    mf_layout_builder *builder = mf_layout_builder_create();
    mf_layout *layout;
    mf_image *image;
    mf_memory *m;
    expect_ok(mf_layout_builder_map_region(builder, 0, 3 * PAGE, MF_READ_ONLY, "one", 3, NULL));
    expect_ok(mf_layout_builder_map_region(builder, 5 * PAGE, 9 * PAGE, MF_READ_WRITE, "two", 3, NULL));
    expect_ok(mf_layout_builder_set_bytes(builder, 3 * PAGE - 2, "over the edge", 13, NULL));
    expect_ok(mf_layout_builder_set_bytes(builder, 30 * PAGE, "in the heap", 11, NULL));
    expect_ok(mf_layout_builder_set_heap(builder, 28 * PAGE, 16, NULL));
    expect_ok(mf_layout_builder_finish(builder, &layout, &image, NULL));
    expect_ok(mf_memory_create(layout, image, on, &m, NULL));
    mf_layout_release(layout);
    mf_image_release(image);
    mf_layout_builder_destroy(builder);
    return m;
}

static void access_both(mf_memory *paged, mf_memory *copy, uint64_t *random) {
    const mf_accessors *generic = mf_generic_accessors(NULL);
    uint32_t page = (uint32_t)(next_random(random) % PAGES);
    uint32_t address =
        page * PAGE + (uint32_t)(next_random(random) % 2 ? next_random(random) % 16 : PAGE - 3);
    uint64_t value = next_random(random);
    if (next_random(random) % 2) {
        mf_load_result a = asm_load_u64(mf_memory_view(paged), address);
        mf_load_result b = generic->load_u64(mf_memory_view(copy), address);
        expect(a.status == b.status && a.value == b.value);
    } else {
        uint32_t status = generic->store_u64(mf_memory_view(copy), address, value);
        expect(asm_store_u64(mf_memory_view(paged), address, value) == status);
    }
    expect(memcmp(&mf_memory_view(paged)->fault, &mf_memory_view(copy)->fault, sizeof(mf_fault)) == 0);
}

static void random_changes(void) {
    mf_memory *paged = same_memory(MF_BACKEND_X86_PAGED), *copy = same_memory(MF_BACKEND_COPY);
    uint64_t random = 2024;
    for (int i = 0; i < CHANGES; i++) {
        uint64_t first = next_random(&random) % PAGES, count = 1 + next_random(&random) % 8;
        change c = {(int)(next_random(&random) % 10), first * PAGE, count * PAGE,
                    (mf_perm)(next_random(&random) % 3), (uint8_t)next_random(&random)};
        paged = apply(paged, &c);
        copy = apply(copy, &c);
        expect(mf_memory_len(paged) == mf_memory_len(copy));
        expect(mf_memory_heap_top(paged) == mf_memory_heap_top(copy));
        for (int k = 0; k < 20; k++)
            access_both(paged, copy, &random);
        for (uint32_t page = 0; i % 16 == 0 && page < PAGES + 8; page++)
            expect(mf_memory_perm_of(paged, page * PAGE) == mf_memory_perm_of(copy, page * PAGE));
    }
    /* All bytes, also those of pages without permission. */
    expect_ok(mf_memory_protect(paged, 0, (PAGES + 8) * PAGE, MF_PERM_RO, NULL));
    expect_ok(mf_memory_protect(copy, 0, (PAGES + 8) * PAGE, MF_PERM_RO, NULL));
    const void *a = mf_memory_span(paged, 0, (PAGES + 8) * PAGE, MF_LOAD);
    const void *b = mf_memory_span(copy, 0, (PAGES + 8) * PAGE, MF_LOAD);
    expect(memcmp(a, b, (PAGES + 8) * PAGE) == 0);
    mf_memory_destroy(paged);
    mf_memory_destroy(copy);
    printf("%d random changes\n", CHANGES);
}

int main(void) {
    backend = MF_BACKEND_X86_PAGED;
    register_accessors();
    protect_there_and_back();
    reset();
    clone();
    random_changes();
    return 0;
}
