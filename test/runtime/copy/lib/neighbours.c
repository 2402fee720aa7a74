/* Changes of single guest pages beside pages with bytes, on a host with pages of any size. */
#include "../../support.h"

#include <unistd.h>

enum { FIRST = 0x20, COUNT = 32 };

static void expect_bytes(mf_memory *m, uint32_t without) {
    for (uint32_t page = FIRST; page < FIRST + COUNT; page++)
        expect(page == without || byte_at(m, page * PAGE + page) == page);
}

static mf_memory *full(void) {
    mf_memory *m = memory_of(&(mf_region){FIRST * PAGE, COUNT * PAGE, MF_READ_WRITE}, 1, (mf_heap){0});
    for (uint32_t page = FIRST; page < FIRST + COUNT; page++)
        set_byte(m, page * PAGE + page, (uint8_t)page);
    return m;
}

static void unmap_each(void) {
    mf_memory *m = full();
    for (uint32_t page = FIRST; page < FIRST + COUNT; page++) {
        expect_ok(mf_memory_unmap(m, page * PAGE, PAGE, NULL));
        expect_bytes(m, page);
        expect_ok(mf_memory_map_region(m, page * PAGE, PAGE, MF_READ_WRITE, NULL, 0, NULL));
        expect(byte_at(m, page * PAGE + page) == 0);
        set_byte(m, page * PAGE + page, (uint8_t)page);
    }
    expect_ok(mf_memory_unmap(m, (FIRST + 1) * PAGE, (COUNT - 2) * PAGE, NULL));
    expect(byte_at(m, FIRST * PAGE + FIRST) == FIRST);
    expect(byte_at(m, (FIRST + COUNT - 1) * PAGE + FIRST + COUNT - 1) == FIRST + COUNT - 1);
    mf_memory_destroy(m);
}

static void clone_and_reset(void) {
    mf_memory *clone, *m = full();
    expect_ok(mf_memory_clone(m, &clone, NULL));
    expect_bytes(clone, 0);
    expect_ok(mf_memory_reset(m, NULL));
    for (uint32_t page = FIRST; page < FIRST + COUNT; page++)
        expect(byte_at(m, page * PAGE + page) == 0);
    expect_bytes(clone, 0);
    mf_memory_destroy(m);
    mf_memory_destroy(clone);
}

static void grow(void) {
    mf_layout_builder *builder = mf_layout_builder_create();
    mf_layout *layout;
    mf_image *image;
    mf_memory *m;
    uint64_t old;
    expect_ok(mf_layout_builder_map_region(builder, 0x41000, PAGE, MF_READ_ONLY, "data", 4, NULL));
    expect_ok(mf_layout_builder_set_heap(builder, 0x40000, 1, NULL));
    expect_ok(mf_layout_builder_finish(builder, &layout, &image, NULL));
    expect_ok(mf_memory_create(layout, image, MF_BACKEND_COPY, &m, NULL));
    expect_ok(mf_memory_sbrk(m, 1, &old, NULL));
    expect(byte_at(m, 0x41000) == 'd' && byte_at(m, 0x40000) == 0);
    mf_memory_destroy(m);
    mf_image_release(image);
    mf_layout_release(layout);
    mf_layout_builder_destroy(builder);
}

int main(void) {
    mf_memory *m;
    unmap_each();
    clone_and_reset();
    grow();
    printf("pages of %ld bytes: unmap, sbrk, clone and reset keep their neighbours\n", sysconf(_SC_PAGESIZE));
    expect(mf_memory_create(NULL, NULL, MF_BACKEND_X86_PAGED, &m, NULL) == MF_INVALID_ARGUMENT);
    puts("no paged backend");
    return 0;
}
