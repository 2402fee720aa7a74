/* A layout for a test, the reference for it, and memories of it. */
#ifndef MEMFOLD_TEST_SCENE_H
#define MEMFOLD_TEST_SCENE_H

#include "random.h"
#include "reference.h"

#include <memfold/layout.h>
#include <memfold/memory.h>

#define SCENE_REGIONS_MAX 5
#define SCENE_EDGES_MAX 64

typedef struct scene {
    const char *name;
    mf_policy policy;
    mf_region regions[SCENE_REGIONS_MAX];
    mf_heap heap;
    uint64_t sbrk_bytes;
    mf_strategy strategy; /* of the accesses; ranges have none */
} scene;

/* The scenes that every test of embedded code goes through: one for each check. */
extern const scene SCENES[];
extern const size_t SCENE_COUNT;

/* A scene that is set up: the reference with its heap grown, and what memories are made of. */
typedef struct stage {
    const scene *scene;
    mf_layout *layout;
    mf_image *image;
    reference *reference;
    uint64_t edges[SCENE_EDGES_MAX]; /* guest indices where the answer may change, 0 and 2^32 among them */
    size_t edge_count;
} stage;

void stage_open(stage *t, const scene *scene);
void stage_close(stage *t);

/* The reference is as created, with its heap grown by `sbrk_bytes`. */
void stage_reset(stage *t, uint64_t sbrk_bytes);

mf_memory *stage_memory(const stage *t, mf_backend backend, uint64_t sbrk_bytes);

#endif
