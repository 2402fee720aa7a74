/* Layouts with edges: what is proved and refuted here is made for them. */
#ifndef MEMFOLD_TEST_VERIFY_SCENES_H
#define MEMFOLD_TEST_VERIFY_SCENES_H

#include <memfold/layout.h>

#include <stdio.h>
#include <stdlib.h>

#define SCENE_REGIONS_MAX 6

/* A few regions, or `count` of them at equal distances; and a heap. */
typedef struct scene {
    const char *name;
    mf_region regions[SCENE_REGIONS_MAX];
    unsigned count;
    uint64_t distance;
    uint64_t heap_base;
    uint64_t heap_pages;
} scene;

static inline void scene_must(bool holds, const char *what) {
    if (holds)
        return;
    printf("%s failed\n", what);
    exit(1);
}

static inline void scene_map(mf_layout_builder *builder, mf_region r) {
    scene_must(mf_layout_builder_map_region(builder, r.start, r.size, r.access, NULL, 0, NULL) == MF_OK,
               "mf_layout_builder_map_region");
}

static inline mf_layout *scene_layout(const scene *s) {
    mf_layout *layout;
    mf_layout_builder *builder = mf_layout_builder_create();
    scene_must(builder != NULL, "mf_layout_builder_create");
    for (unsigned i = 0; s->distance == 0 && i < SCENE_REGIONS_MAX && s->regions[i].size > 0; i++)
        scene_map(builder, s->regions[i]);
    for (unsigned i = 0; s->distance != 0 && i < s->count; i++) {
        mf_region region = s->regions[i % 3];
        region.start += i * s->distance;
        scene_map(builder, region);
    }
    scene_must(mf_layout_builder_set_heap(builder, s->heap_base, s->heap_pages, NULL) == MF_OK,
               "mf_layout_builder_set_heap");
    scene_must(mf_layout_builder_finish(builder, &layout, NULL, NULL) == MF_OK, "mf_layout_builder_finish");
    mf_layout_builder_destroy(builder);
    return layout;
}

#endif
