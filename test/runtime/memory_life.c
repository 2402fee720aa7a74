/*
 * Create, clone, reset and destroy leave each memory with its own bytes, permissions and heap.
 *
 * RUN: %cc %s -o %t %runtime && %t | FileCheck %s
 *
 * CHECK: destroy_nothing
 * CHECK-NEXT: empty_memory
 * CHECK-NEXT: image_in_order_and_below_pages_without_permission
 * CHECK-NEXT: image_beyond_the_layout
 * CHECK-NEXT: clone_is_independent
 * CHECK-NEXT: clone_copies_bytes_of_lost_pages
 * CHECK-NEXT: clone_resets_as_its_origin
 * CHECK-NEXT: reset_restores_creation
 * CHECK-NEXT: unknown_backend
 * CHECK-NEXT: on copy
 * CHECK-NEXT: on x86_paged
 */
#include "support.h"

static void destroy_nothing(void) {
    mf_memory_destroy(NULL);
    mf_layout_release(NULL);
    mf_image_release(NULL);
    mf_layout_builder_destroy(NULL);
    expect(mf_layout_retain(NULL) == NULL && mf_image_retain(NULL) == NULL);
}

static void empty_memory(void) {
    mf_memory *m = memory_of(NULL, 0, (mf_heap){0});
    mf_layout *empty = layout_of(NULL, 0, (mf_heap){0});
    mf_memory *from_nothing;
    expect_ok(mf_memory_create(NULL, NULL, backend, &from_nothing, NULL));
    expect(mf_memory_view(from_nothing)->layout_stamp ==
           MF_LAYOUT_STAMP(mf_layout_fingerprint(empty), backend));
    expect(mf_memory_view(m)->layout_stamp == MF_LAYOUT_STAMP(mf_layout_fingerprint(empty), backend));
    expect(mf_memory_len(from_nothing) == 0 && mf_memory_heap_base(from_nothing) == 0);
    expect(mf_memory_heap_top(from_nothing) == 0 && mf_memory_max_heap_pages(from_nothing) == 0);
    expect(mf_memory_backend(from_nothing) == backend);
    expect(mf_memory_last_fault(from_nothing).kind == MF_FAULT_NONE);
    expect_ok(mf_memory_reset(from_nothing, NULL));
    mf_layout_release(empty);
    mf_memory_destroy(m);
    mf_memory_destroy(from_nothing);
}

static mf_memory *memory_with_image(mf_image **image) {
    mf_layout_builder *builder = mf_layout_builder_create();
    mf_layout *layout;
    mf_memory *m;
    expect_ok(mf_layout_builder_map_region(builder, 0, 2 * PAGE, MF_READ_ONLY, "abcdef", 6, NULL));
    expect_ok(mf_layout_builder_set_bytes(builder, 2, "XY", 2, NULL));
    expect_ok(mf_layout_builder_set_bytes(builder, 5 * PAGE - 1, "pq", 2, NULL));
    expect_ok(mf_layout_builder_set_heap(builder, 8 * PAGE, 4, NULL));
    expect_ok(mf_layout_builder_finish(builder, &layout, image, NULL));
    mf_layout_builder_destroy(builder);
    expect_ok(mf_memory_create(layout, *image, backend, &m, NULL));
    mf_layout_release(layout);
    return m;
}

static void image_in_order_and_below_pages_without_permission(void) {
    mf_image *image;
    mf_memory *m = memory_with_image(&image);
    mf_image_release(image);
    char text[7] = {0};
    expect(mf_memory_read(m, 0, text, 6) && strcmp(text, "abXYef") == 0);
    expect(mf_memory_len(m) == 2 * PAGE);
    expect(mf_memory_perm_of(m, 5 * PAGE) == MF_PERM_NONE);
    expect_ok(mf_memory_protect(m, 4 * PAGE, 2 * PAGE, MF_PERM_RO, NULL));
    expect(byte_at(m, 5 * PAGE - 1) == 'p' && byte_at(m, 5 * PAGE) == 'q');
    mf_memory_destroy(m);
}

static void image_beyond_the_layout(void) {
    mf_layout_builder *builder = mf_layout_builder_create();
    mf_layout *layout;
    mf_image *image;
    mf_memory *m;
    expect_ok(mf_layout_builder_set_bytes(builder, TOP - 2, "yz", 2, NULL));
    expect_ok(mf_layout_builder_set_bytes(builder, 0, "a", 1, NULL));
    expect_ok(mf_layout_builder_finish(builder, &layout, &image, NULL));
    mf_layout_builder_destroy(builder);
    expect(mf_layout_len(layout) == 0);
    expect_ok(mf_memory_create(layout, image, backend, &m, NULL));
    mf_layout_release(layout);
    mf_image_release(image);
    expect_ok(mf_memory_protect(m, TOP - PAGE, PAGE, MF_PERM_RW, NULL));
    expect(byte_at(m, UINT32_MAX - 1) == 'y' && byte_at(m, UINT32_MAX) == 'z');
    mf_memory_destroy(m);
}

static void clone_is_independent(void) {
    const mf_region regions[] = {{PAGE, 2 * PAGE, MF_READ_WRITE}, {TOP - PAGE, PAGE, MF_READ_WRITE}};
    mf_memory *m = memory_of(regions, 2, (mf_heap){8 * PAGE, 4});
    mf_memory *clone;
    uint64_t old;
    set_byte(m, PAGE, 1);
    set_byte(m, UINT32_MAX, 2);
    expect_ok(mf_memory_sbrk(m, 100, &old, NULL));
    set_byte(m, 8 * PAGE + 50, 3);
    expect(!mf_memory_fill(m, 0, 0, 1));
    expect_ok(mf_memory_clone(m, &clone, NULL));
    expect(mf_memory_last_fault(clone).kind == MF_FAULT_NONE);
    expect(mf_memory_view(clone)->memory == clone && mf_memory_view(clone)->next == NULL);
    expect(mf_memory_heap_top(clone) == 8 * PAGE + 100);
    expect(mf_memory_view(clone)->heap_end == 9 * PAGE);
    expect(mf_memory_view(clone)->layout_stamp == mf_memory_view(m)->layout_stamp);
    expect(mf_memory_len(clone) == TOP);
    expect(byte_at(clone, PAGE) == 1 && byte_at(clone, UINT32_MAX) == 2 &&
           byte_at(clone, 8 * PAGE + 50) == 3);
    set_byte(clone, PAGE, 9);
    expect(byte_at(m, PAGE) == 1);
    expect_ok(mf_memory_unmap(m, PAGE, PAGE, NULL));
    expect(byte_at(clone, PAGE) == 9);
    mf_memory_destroy(m);
    expect(byte_at(clone, UINT32_MAX) == 2);
    expect_ok(mf_memory_sbrk(clone, 3 * PAGE, &old, NULL));
    expect(old == 8 * PAGE + 100 && byte_at(clone, 11 * PAGE) == 0);
    mf_memory_destroy(clone);
}

/* Bytes outlive the permission of their page, and a store under the bounds policy asks for none. */
static void clone_copies_bytes_of_lost_pages(void) {
    const mf_region regions[] = {{PAGE, PAGE, MF_READ_WRITE}, {9 * PAGE, PAGE, MF_READ_ONLY}};
    mf_memory *m = memory_of(regions, 2, (mf_heap){0});
    mf_memory *clone;
    set_byte(m, PAGE + 7, 0x51);
    set_hidden_byte(m, 4 * PAGE + 1, 0x52);
    expect_ok(mf_memory_protect(m, PAGE, PAGE, MF_PERM_NONE, NULL));
    expect_ok(mf_memory_clone(m, &clone, NULL));
    mf_memory_destroy(m);
    expect(mf_memory_perm_of(clone, PAGE) == MF_PERM_NONE);
    expect(mf_memory_view(clone)->layout_stamp == MF_LAYOUT_STAMP(0, backend));
    expect_ok(mf_memory_protect(clone, PAGE, 4 * PAGE, MF_PERM_RO, NULL));
    expect(byte_at(clone, PAGE + 7) == 0x51 && byte_at(clone, 4 * PAGE + 1) == 0x52);
    mf_memory_destroy(clone);
}

static void clone_resets_as_its_origin(void) {
    mf_image *image;
    mf_memory *m = memory_with_image(&image);
    mf_image_release(image);
    uint64_t fingerprint = mf_memory_view(m)->layout_stamp;
    mf_memory *clone;
    uint64_t old;
    expect_ok(mf_memory_sbrk(m, 2 * PAGE, &old, NULL));
    expect_ok(mf_memory_map_region(m, 0, PAGE, MF_READ_WRITE, "zz", 2, NULL));
    expect_ok(mf_memory_clone(m, &clone, NULL));
    mf_memory_destroy(m);
    expect(byte_at(clone, 0) == 'z');
    expect_ok(mf_memory_reset(clone, NULL));
    char text[7] = {0};
    expect(mf_memory_read(clone, 0, text, 6) && strcmp(text, "abXYef") == 0);
    expect(mf_memory_perm_of(clone, 0) == MF_PERM_RO && mf_memory_len(clone) == 2 * PAGE);
    expect(mf_memory_heap_top(clone) == 8 * PAGE);
    mf_layout *layout;
    expect_ok(mf_memory_layout(clone, &layout, NULL));
    expect(MF_LAYOUT_STAMP(mf_layout_fingerprint(layout), backend) == fingerprint);
    mf_layout_release(layout);
    mf_memory_destroy(clone);
}

static void reset_restores_creation(void) {
    mf_image *image;
    mf_memory *m = memory_with_image(&image);
    mf_image_release(image);
    mf_view further;
    mf_view_attach(&further, m);
    uint64_t old;
    expect_ok(mf_memory_sbrk(m, 3 * PAGE, &old, NULL));
    set_byte(m, 10 * PAGE, 7);
    expect_ok(mf_memory_map_region(m, 20 * PAGE, PAGE, MF_READ_WRITE, "k", 1, NULL));
    expect_ok(mf_memory_unmap(m, 0, PAGE, NULL));
    set_hidden_byte(m, 6 * PAGE, 0x66);
    expect(!mf_memory_fill(m, 0, 1, 1) && !mf_view_fill(&further, PAGE, 1, 1));
    expect_ok(mf_memory_reset(m, NULL));
    expect(mf_memory_last_fault(m).kind == MF_FAULT_NONE && further.fault.kind == MF_FAULT_NONE);
    expect(mf_memory_last_fault(m).page == 0 && further.fault.page == 0);
    expect(further.heap_end == 8 * PAGE && mf_memory_heap_top(m) == 8 * PAGE);
    expect(mf_memory_len(m) == 2 * PAGE && byte_at(m, 3) == 'Y');
    for (uint32_t page = 0; page < 24; page++)
        expect(mf_memory_perm_of(m, page * PAGE) == (page < 2 ? MF_PERM_RO : MF_PERM_NONE));
    expect_ok(mf_memory_protect(m, 0, 24 * PAGE, MF_PERM_RO, NULL));
    expect(byte_at(m, 20 * PAGE) == 0 && byte_at(m, 10 * PAGE) == 0 && byte_at(m, 6 * PAGE) == 0);
    expect(byte_at(m, 5 * PAGE) == 'q');
    mf_view_detach(&further);
    mf_memory_destroy(m);
}

static void unknown_backend(void) {
    mf_memory *m = NULL;
    mf_diag diag;
    expect(mf_memory_create(NULL, NULL, (mf_backend)3, &m, &diag) == MF_INVALID_ARGUMENT);
    expect(m == NULL && diag.value == 3);
}

static const test tests[] = {
    TEST(destroy_nothing),
    TEST(empty_memory),
    TEST(image_in_order_and_below_pages_without_permission),
    TEST(image_beyond_the_layout),
    TEST(clone_is_independent),
    TEST(clone_copies_bytes_of_lost_pages),
    TEST(clone_resets_as_its_origin),
    TEST(reset_restores_creation),
    TEST(unknown_backend),
};

int main(void) {
    return RUN_TESTS(tests);
}
