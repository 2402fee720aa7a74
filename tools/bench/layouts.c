/* The layouts that `memfold bench` brings along. */
#include "bench/layouts.h"

#include <memfold/layout_file.h>

#include <stdlib.h>

#define FIRST_START UINT64_C(0x10000)
#define SMALL_TOTAL_PAGES 512 /* of layouts with few regions, so that their lines have room */

/* A fixed sequence: the same layout in every run. */
static uint64_t next_random(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void map(mf_layout_builder *builder, uint64_t start, uint64_t size, mf_access access) {
    if (mf_layout_builder_map_region(builder, start, size, access, NULL, 0, NULL) != MF_OK)
        abort();
}

static mf_layout *finish(mf_layout_builder *builder) {
    mf_layout *layout = NULL;
    if (mf_layout_builder_finish(builder, &layout, NULL, NULL) != MF_OK)
        layout = NULL;
    mf_layout_builder_destroy(builder);
    return layout;
}

/* Every fourth region is read-only, so that loads and stores have different windows. */
static mf_access access_of(uint64_t region) {
    return region % 4 == 3 ? MF_READ_ONLY : MF_READ_WRITE;
}

mf_layout *bench_layout_regions(uint64_t count) {
    mf_layout_builder *builder = mf_layout_builder_create();
    uint64_t random = UINT64_C(0x9e3779b97f4a7c15);
    uint64_t start = FIRST_START;
    uint64_t least = SMALL_TOTAL_PAGES / count;
    for (uint64_t i = 0; builder != NULL && i < count; i++) {
        uint64_t pages = least + 1 + next_random(&random) % 3;
        uint64_t hole = 1 + next_random(&random) % 3;
        map(builder, start, pages * MF_PAGE_SIZE, access_of(i));
        start += (pages + hole) * MF_PAGE_SIZE;
    }
    return builder == NULL ? NULL : finish(builder);
}

mf_layout *bench_layout_large(uint64_t count) {
    mf_layout_builder *builder = mf_layout_builder_create();
    uint64_t size = (UINT64_C(1) << 30) / count;
    for (uint64_t i = 0; builder != NULL && i < count; i++)
        map(builder, (UINT64_C(1) << 21) + i * (size + (UINT64_C(1) << 21)), size, MF_READ_WRITE);
    return builder == NULL ? NULL : finish(builder);
}

/*
 * A program of JAM's PVM: read-only data at 64 KiB, data and heap one zone later, stack and arguments on top.
 */
mf_layout *bench_layout_pvm(void) {
    mf_layout_builder *builder = mf_layout_builder_create();
    if (builder == NULL)
        return NULL;
    map(builder, 0x00010000, 0x8000, MF_READ_ONLY);
    map(builder, 0x00030000, 0x20000, MF_READ_WRITE);
    map(builder, 0xfefd0000, 0x10000, MF_READ_WRITE);
    map(builder, 0xfeff0000, 0x4000, MF_READ_ONLY);
    if (mf_layout_builder_set_heap(builder, 0x00050000, 4096, NULL) != MF_OK)
        abort();
    return finish(builder);
}

mf_layout *bench_layout_heap(void) {
    mf_layout_builder *builder = mf_layout_builder_create();
    if (builder == NULL)
        return NULL;
    map(builder, 0x00010000, 0x80000, MF_READ_ONLY);
    map(builder, 0x000a0000, 0x80000, MF_READ_WRITE);
    map(builder, 0x02400000, 0x80000, MF_READ_WRITE);
    if (mf_layout_builder_set_heap(builder, 0x00120000, 4096, NULL) != MF_OK)
        abort();
    return finish(builder);
}

/*
 * A small dynamically linked program on 32-bit Linux, as /proc/PID/maps lists it: file, libc, loader, stack.
 */
mf_layout *bench_layout_process(void) {
    static const struct {
        uint32_t start, size;
        mf_access access;
    } mappings[] = {
        {0x08048000, 0x0a000, MF_READ_ONLY},  {0x08053000, 0x01000, MF_READ_ONLY},
        {0x08054000, 0x01000, MF_READ_WRITE}, {0x09a3c000, 0x21000, MF_READ_WRITE},
        {0xf7a10000, 0x200000, MF_READ_ONLY}, {0xf7c10000, 0x01000, MF_READ_WRITE},
        {0xf7c12000, 0x20000, MF_READ_ONLY},  {0xf7c32000, 0x180000, MF_READ_ONLY},
        {0xf7db2000, 0x86000, MF_READ_ONLY},  {0xf7e39000, 0x02000, MF_READ_ONLY},
        {0xf7e3b000, 0x01000, MF_READ_WRITE}, {0xf7e3c000, 0x0a000, MF_READ_WRITE},
        {0xf7f6a000, 0x02000, MF_READ_WRITE}, {0xf7f6c000, 0x04000, MF_READ_ONLY},
        {0xf7f70000, 0x02000, MF_READ_ONLY},  {0xf7f72000, 0x01000, MF_READ_ONLY},
        {0xf7f73000, 0x23000, MF_READ_ONLY},  {0xf7f96000, 0x0e000, MF_READ_ONLY},
        {0xf7fa5000, 0x02000, MF_READ_ONLY},  {0xf7fa7000, 0x01000, MF_READ_WRITE},
        {0xffb5e000, 0x21000, MF_READ_WRITE},
    };
    mf_layout_builder *builder = mf_layout_builder_create();
    for (size_t i = 0; builder != NULL && i < sizeof mappings / sizeof mappings[0]; i++)
        map(builder, mappings[i].start, mappings[i].size, mappings[i].access);
    return builder == NULL ? NULL : finish(builder);
}

mf_layout *bench_layout_block(uint64_t start, uint64_t bytes) {
    mf_layout_builder *builder = mf_layout_builder_create();
    if (builder == NULL)
        return NULL;
    map(builder, start, bytes, MF_READ_WRITE);
    return finish(builder);
}

/* The segments of this command itself. */
mf_layout *bench_layout_elf(void) {
    mf_layout_file file = {0};
    if (mf_layout_file_read("/proc/self/exe", MF_FORMAT_ELF, &file, NULL) != MF_OK)
        return NULL;
    mf_layout *layout = mf_layout_retain(file.layout);
    mf_layout_file_fini(&file);
    return layout;
}
