/*
 * Memories for 32-bit indices, and memories with a bound: what a guest sees is the same up to the last byte,
 * and what does not go with them is refused.
 *
 * RUN: %cc %s -o %t %runtime && %t | FileCheck %s
 *
 * CHECK: narrow_straddle
 * CHECK-NEXT: narrow_fit
 * CHECK-NEXT: bounded_changes
 * CHECK-NEXT: bounded_creation
 * CHECK-NEXT: bounded_bytes
 * CHECK-NEXT: bounded_image
 * CHECK-NEXT: bounded_image_of_unmapped_pages
 * CHECK-NEXT: on copy
 * CHECK-NEXT: on x86_paged
 */
#include "support.h"

static mf_status create(const mf_layout *layout, mf_memory_config config, mf_memory **m, mf_diag *diag) {
    config.backend = backend;
    return mf_memory_create_with(layout, NULL, &config, m, diag);
}

/* The last page is there, and the page above is not: not even for the byte in it. */
static void narrow_straddle(void) {
    mf_layout *layout = layout_of(&(mf_region){TOP - PAGE, PAGE, MF_READ_WRITE}, 1, (mf_heap){0});
    const mf_accessors *generic = mf_generic_accessors(NULL);
    mf_memory *m, *clone;
    expect_ok(create(layout, (mf_memory_config){.index = MF_MEMORY_U32}, &m, NULL));
    expect_ok(mf_memory_clone(m, &clone, NULL));
    expect(mf_memory_index_of(m) == MF_MEMORY_U32 && mf_memory_index_of(clone) == MF_MEMORY_U32);
    for (uint32_t offset = 0; offset < 8; offset++) {
        uint32_t address = UINT32_MAX - offset;
        expect(generic->store_u64(mf_memory_view(m), address, UINT64_MAX) ==
               (offset < 7 ? MF_PAGE_FAULT : 0));
        expect(offset == 7 || fault_is(mf_memory_last_fault(m), MF_PAGE_FAULT, MF_STORE, TOP, address, 8));
        expect(byte_at(m, UINT32_MAX) == (offset < 7 ? 0 : 0xff));
    }
    expect(!mf_memory_write(m, UINT32_MAX, "ab", 2) && mf_memory_last_fault(m).page == TOP);
    expect_ok(mf_memory_reset(m, NULL));
    expect(byte_at(m, UINT32_MAX) == 0 && byte_at(clone, UINT32_MAX) == 0);
    mf_memory_destroy(clone);
    mf_memory_destroy(m);
    mf_layout_release(layout);
}

static void narrow_fit(void) {
    const mf_accessors *wide = mf_generic_accessors(&(mf_accessor_options){.index = MF_INDEX_U33});
    const mf_accessors *usual = mf_generic_accessors(NULL);
    mf_memory *m, *narrow;
    mf_view further;
    mf_diag diag;
    expect_ok(create(NULL, (mf_memory_config){0}, &m, NULL));
    expect_ok(create(NULL, (mf_memory_config){.index = MF_MEMORY_U32}, &narrow, NULL));
    expect(mf_accessors_fit(wide, m) && mf_accessors_fit(usual, m));
    expect(!mf_accessors_fit(wide, narrow) && mf_accessors_fit(usual, narrow));
    expect(mf_memory_view(m)->u33_stamp == mf_memory_view(m)->layout_stamp);
    expect_ok(mf_memory_map_region(narrow, 0, PAGE, MF_READ_WRITE, NULL, 0, NULL));
    mf_view_attach(&further, narrow);
    expect(mf_memory_view(narrow)->u33_stamp == MF_LAYOUT_STAMP_REFUSED &&
           further.u33_stamp == MF_LAYOUT_STAMP_REFUSED);
    mf_view_detach(&further);
    expect(create(NULL, (mf_memory_config){.index = (mf_memory_index)2}, &m, &diag) == MF_INVALID_ARGUMENT &&
           diag.value == 2);
    mf_memory_destroy(narrow);
    mf_memory_destroy(m);
}

/* A bound of three pages and a byte is one of four. */
static void bounded_changes(void) {
    mf_memory *m;
    mf_diag diag;
    expect_ok(create(NULL, (mf_memory_config){.max_bytes = 3 * PAGE + 1}, &m, NULL));
    expect_ok(mf_memory_map_region(m, 0, 4 * PAGE, MF_READ_WRITE, NULL, 0, NULL));
    expect(mf_memory_map_region(m, PAGE, 4 * PAGE, MF_READ_ONLY, "a", 1, &diag) == MF_OVERFLOW);
    expect(diag.value == 5 * PAGE && strstr(diag.message, "made for 0x4000 bytes") != NULL);
    expect(mf_memory_protect(m, TOP - PAGE, PAGE, MF_PERM_RO, &diag) == MF_OVERFLOW && diag.value == TOP);
    expect(mf_memory_perm_of(m, PAGE) == MF_PERM_RW && byte_at(m, PAGE) == 0);
    set_byte(m, 4 * PAGE - 1, 7);
    expect(!mf_memory_write(m, 4 * PAGE - 1, "ab", 2) && mf_memory_last_fault(m).page == 4 * PAGE);
    expect_ok(mf_memory_protect(m, 2 * PAGE, TOP - 2 * PAGE, MF_PERM_NONE, NULL));
    expect_ok(mf_memory_protect(m, 2 * PAGE, 2 * PAGE, MF_PERM_RW, NULL));
    expect(byte_at(m, 4 * PAGE - 1) == 7);
    expect_ok(mf_memory_unmap(m, PAGE, TOP - PAGE, NULL));
    expect(mf_memory_len(m) == PAGE);
    mf_memory_destroy(m);
}

static void bounded_creation(void) {
    const mf_memory_config config = {.max_bytes = 64 * PAGE};
    mf_layout *inside = layout_of(&(mf_region){63 * PAGE, PAGE, MF_READ_ONLY}, 1, (mf_heap){0, 63});
    mf_layout *region = layout_of(&(mf_region){64 * PAGE, PAGE, MF_READ_ONLY}, 1, (mf_heap){0});
    mf_layout *heap = layout_of(NULL, 0, (mf_heap){PAGE, 64});
    mf_memory *m;
    mf_diag diag;
    uint64_t top;
    expect(create(region, config, &m, &diag) == MF_OVERFLOW && diag.value == 65 * PAGE);
    expect(create(heap, config, &m, &diag) == MF_OVERFLOW && diag.value == 65 * PAGE);
    expect_ok(create(inside, config, &m, NULL));
    expect_ok(mf_memory_sbrk(m, 63 * PAGE, &top, NULL));
    expect(mf_memory_fill(m, 0, 1, 63 * PAGE));
    mf_memory_destroy(m);
    mf_layout_release(inside);
    mf_layout_release(region);
    mf_layout_release(heap);
}

/* Neighbours do not see each other, clones have the bound, and resets find what was there. */
static void bounded_bytes(void) {
    enum { COUNT = 100 };
    mf_layout *layout = layout_of(&(mf_region){0, 16 * PAGE, MF_READ_WRITE}, 1, (mf_heap){0});
    mf_memory *all[COUNT];
    for (uint32_t i = 0; i < COUNT; i++) {
        expect_ok(i % 2 == 0 ? create(layout, (mf_memory_config){.max_bytes = 16 * PAGE}, &all[i], NULL)
                             : mf_memory_clone(all[i - 1], &all[i], NULL));
        expect(mf_memory_fill(all[i], 0, (uint8_t)i, 16 * PAGE));
    }
    for (uint32_t i = 0; i < COUNT; i++) {
        expect(byte_at(all[i], 0) == i && byte_at(all[i], 16 * PAGE - 1) == i);
        expect(mf_memory_map_region(all[i], 16 * PAGE, PAGE, MF_READ_WRITE, NULL, 0, NULL) == MF_OVERFLOW);
        expect_ok(mf_memory_reset(all[i], NULL));
        expect(byte_at(all[i], 0) == 0 && byte_at(all[i], 16 * PAGE - 1) == 0);
    }
    for (uint32_t i = 0; i < COUNT; i++)
        mf_memory_destroy(all[i]);
    mf_layout_release(layout);
}

/*
 * A bound may end in the middle of a block of pages that memories share. What counts is where the bytes end,
 * also of what was frozen, whose pages are the blocks.
 */
static void bounded_image(void) {
    enum { PAGES = 20, BOUND = PAGES * PAGE };
    static unsigned char bytes[BOUND];
    const mf_memory_config exact = {.max_bytes = BOUND};
    mf_layout_builder *builder = mf_layout_builder_create();
    mf_image *images[3];
    mf_layout *layout;
    mf_diag diag;
    memset(bytes, 5, sizeof bytes);
    expect_ok(mf_layout_builder_map_region(builder, 0, BOUND, MF_READ_WRITE, bytes, BOUND, NULL));
    expect_ok(mf_layout_builder_finish(builder, &layout, &images[0], NULL));
    for (int i = 0; i < 3; i++) {
        mf_memory *m;
        mf_memory_config config = exact;
        config.backend = backend;
        expect_ok(mf_memory_create_with(i == 0 ? layout : NULL, images[i], &config, &m, NULL));
        expect(byte_at(m, BOUND - 1) == 5);
        set_byte(m, BOUND - 1, 6);
        expect_ok(mf_memory_reset(m, NULL));
        expect(byte_at(m, BOUND - 1) == 5);
        if (i < 2)
            expect_ok(mf_memory_freeze(m, &images[i + 1], NULL));
        mf_memory_destroy(m);
        config.max_bytes = BOUND - PAGE;
        expect(mf_memory_create_with(NULL, images[i], &config, &m, &diag) == MF_OVERFLOW &&
               diag.value == BOUND);
    }
    for (int i = 0; i < 3; i++)
        mf_image_release(images[i]);
    mf_layout_release(layout);
    mf_layout_builder_destroy(builder);
}

/* Pages that were unmapped before a memory was frozen have no bytes, however many of its image they were. */
static void bounded_image_of_unmapped_pages(void) {
    enum { BLOCK = 16 * PAGE, HIGH = 0x40000000, BOUND = 1 << 24 };
    static unsigned char bytes[2 * BLOCK];
    mf_memory_config config = {.backend = backend};
    mf_layout_builder *builder = mf_layout_builder_create();
    mf_layout *layout;
    mf_image *image;
    mf_image *frozen;
    mf_memory *m;
    memset(bytes, 5, sizeof bytes);
    expect_ok(mf_layout_builder_map_region(builder, 0, 2 * BLOCK, MF_READ_WRITE, bytes, 2 * BLOCK, NULL));
    expect_ok(mf_layout_builder_map_region(builder, HIGH, BLOCK, MF_READ_WRITE, bytes, BLOCK, NULL));
    expect_ok(mf_layout_builder_finish(builder, &layout, &image, NULL));
    expect_ok(mf_memory_create_with(layout, image, &config, &m, NULL));
    expect_ok(mf_memory_unmap(m, HIGH, BLOCK / 2, NULL));
    expect_ok(mf_memory_unmap(m, HIGH + BLOCK / 2, BLOCK / 2, NULL));
    expect_ok(mf_memory_freeze(m, &frozen, NULL));
    expect_ok(mf_memory_protect(m, HIGH, BLOCK, MF_PERM_RO, NULL));
    expect(byte_at(m, HIGH) == 0 && byte_at(m, HIGH + BLOCK - 1) == 0);
    expect_ok(mf_memory_reset(m, NULL));
    expect(byte_at(m, HIGH) == 5 && byte_at(m, HIGH + BLOCK - 1) == 5);
    mf_memory_destroy(m);
    config.max_bytes = BOUND;
    expect_ok(mf_memory_create_with(NULL, frozen, &config, &m, NULL));
    expect(mf_memory_len(m) == 2 * BLOCK && byte_at(m, 2 * BLOCK - 1) == 5);
    mf_memory_destroy(m);
    mf_image_release(frozen);
    mf_image_release(image);
    mf_layout_release(layout);
    mf_layout_builder_destroy(builder);
}

int main(void) {
    static const test tests[] = {
        TEST(narrow_straddle),
        TEST(narrow_fit),
        TEST(bounded_changes),
        TEST(bounded_creation),
        TEST(bounded_bytes),
        TEST(bounded_image),
        TEST(bounded_image_of_unmapped_pages),
    };
    return RUN_TESTS(tests);
}
