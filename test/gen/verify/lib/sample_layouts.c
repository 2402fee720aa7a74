#include "sample_layouts.h"

#include <stdio.h>
#include <stdlib.h>

static void must(mf_status status, const mf_diag *diag) {
    if (status == MF_OK)
        return;
    printf("sample: %s\n", diag->message);
    exit(1);
}

typedef struct region {
    uint64_t start;
    uint64_t size;
    mf_access access;
} region;

static const region WINDOW[] = {{0x20000, 0x8000, MF_READ_WRITE}};
static const region MIXED[] = {
    {0x10000, 0x4000, MF_READ_ONLY}, {0x20000, 0x8000, MF_READ_WRITE}, {0xfefd0000, 0x10000, MF_READ_WRITE}};
static const region LOW[] = {{0, 0x8000, MF_READ_WRITE}};

/* Regions of two permissions at every quarter of a MiB, the last one at the end of the space. */
static void map_many(mf_layout_builder *builder) {
    mf_diag diag;
    for (uint64_t i = 0; i < 16; i++)
        must(mf_layout_builder_map_region(builder, 0x100000 + i * 0x40000, 0x10000,
                                          i % 3 == 0 ? MF_READ_ONLY : MF_READ_WRITE, NULL, 0, &diag),
             &diag);
}

mf_layout *sample_layout(sample s) {
    static const struct {
        const region *regions;
        size_t count;
    } SAMPLES[] = {[SAMPLE_WINDOW] = {WINDOW, 1},
                   [SAMPLE_MIXED] = {MIXED, 3},
                   [SAMPLE_MANY] = {NULL, 0},
                   [SAMPLE_LOW] = {LOW, 1}};
    mf_layout_builder *builder = mf_layout_builder_create();
    mf_layout *layout;
    mf_diag diag;
    for (size_t i = 0; i < SAMPLES[s].count; i++) {
        const region *r = &SAMPLES[s].regions[i];
        must(mf_layout_builder_map_region(builder, r->start, r->size, r->access, NULL, 0, &diag), &diag);
    }
    if (s == SAMPLE_MANY)
        map_many(builder);
    if (s == SAMPLE_MIXED)
        must(mf_layout_builder_set_heap(builder, 0x28000, 256, &diag), &diag);
    must(mf_layout_builder_finish(builder, &layout, NULL, &diag), &diag);
    mf_layout_builder_destroy(builder);
    return layout;
}
