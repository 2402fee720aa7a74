/*
 * A program that uses accessors made ahead of time. Prints a hash of the answers to many accesses and some of
 * them in full; every machine and every way to link it prints the same.
 */
#include "guest.h"

#include <memfold/memory.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define CHECK(done)                                                                                          \
    if (!(done))                                                                                             \
    fprintf(stderr, "line %d: %s\n", __LINE__, #done), exit(1)

static mf_memory *create_memory(void) {
    mf_layout_builder *builder = mf_layout_builder_create();
    mf_layout *layout;
    mf_memory *memory;
#define MAP(start, size, access)                                                                             \
    CHECK(mf_layout_builder_map_region(builder, start, size, access, "memfold", 7, NULL) == MF_OK);
    GUEST_REGIONS(MAP)
    CHECK(mf_layout_builder_set_heap(builder, GUEST_HEAP_BASE, GUEST_HEAP_MAX_PAGES, NULL) == MF_OK);
    mf_image *image;
    CHECK(mf_layout_builder_finish(builder, &layout, &image, NULL) == MF_OK);
    CHECK(mf_layout_fingerprint(layout) == GUEST_FINGERPRINT);
    CHECK(mf_memory_create(layout, image, BACKEND, &memory, NULL) == MF_OK);
    mf_layout_builder_destroy(builder);
    mf_layout_release(layout);
    mf_image_release(image);
    return memory;
}

static uint64_t mix(uint64_t hash, uint64_t number) {
    return (hash ^ number) * UINT64_C(0x9e3779b97f4a7c15) + (hash >> 29);
}

static uint64_t mix_answer(uint64_t hash, const mf_view *view, uint64_t value, uint32_t status) {
    hash = mix(mix(hash, status), value);
    return status == 0 ? hash : mix(mix(hash, view->fault.page), view->fault.address);
}

/* Every accessor at every index around the edge of a page. */
static uint64_t visit(mf_view *view, uint32_t page, uint64_t hash) {
    for (uint32_t address = page - 9; address != page + 9; address++) {
        uint32_t status;
        mf_load_result r;
#define LOAD(ID, name, operation, width, sign)                                                               \
    r = guest_##name(view, address);                                                                         \
    hash = mix_answer(hash, view, r.value, r.status);
#define STORE(ID, name, operation, width, sign)                                                              \
    status = guest_##name(view, address, hash);                                                              \
    hash = mix_answer(hash, view, 0, status);
        MF_STORE_ACCESSORS(STORE)
        MF_LOAD_ACCESSORS(LOAD)
    }
    return hash;
}

int main(void) {
    static const uint32_t edges[] = {0x0,     0x10000, 0x12000, 0x20000,    0x28000,
                                     0x29000, 0x2c000, 0x1000,  0xffff0000, 0xfffff000};
    mf_memory *memory = create_memory();
    mf_view *view = mf_memory_view(memory);
    mf_load_result r = guest_load_u32(view, 0x10000);
    printf("load 0x%08" PRIx64 "\n", r.value);
    printf("store %u", guest_store_u16(view, 0x11fff, 0));
    printf(" at page 0x%" PRIx64 "\n", view->fault.page);
    uint64_t old_top, hash = 0;
    CHECK(mf_memory_sbrk(memory, MF_PAGE_SIZE, &old_top, NULL) == MF_OK);
    for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++)
        hash = visit(view, edges[i], hash);
    printf("hash 0x%016" PRIx64 "\n", hash);
    mf_memory_destroy(memory);
    return 0;
}
