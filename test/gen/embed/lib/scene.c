#include "scene.h"

#include "engines.h"

#include <stdlib.h>

#define RO MF_READ_ONLY
#define RW MF_READ_WRITE

const scene SCENES[] = {
    {"always-fault", .heap = {0, 0}},
    {"always-fault-stores", .regions = {{0x20000, 0x2000, RO}}},
    {"whole-space", .regions = {{0, MF_SPACE_BYTES, RW}}},
    {"bound", .regions = {{0, 0x3000, RW}}},
    {"window", .regions = {{0x20000, 0x3000, RW}}},
    {"window-mixed", .regions = {{0x1000, 0x1000, RO}, {0x2000, 0x1000, RW}, {0x3000, 0x1000, RO}}},
    {"window-high", .regions = {{0x7FFFF000, 0x2000, RW}}},
    {"window-to-top", .regions = {{0xFFFFE000, 0x2000, RW}}},
    {"two-windows", .regions = {{0, 0x1000, RW}, {0xFFFFF000, 0x1000, RW}}},
    {"heap-joined", .regions = {{0x10000, 0x2000, RW}}, .heap = {0x12000, 4}, .sbrk_bytes = 0x1801},
    {"heap-joined-read-only", .regions = {{0x10000, 0x2000, RO}}, .heap = {0x12000, 4}, .sbrk_bytes = 1},
    {"heap-alone-empty", .heap = {0x30000, 4}},
    {"heap-to-top", .heap = {0xFFFFE000, 2}, .sbrk_bytes = 0x2000},
    {"heap-and-window", .regions = {{0x10000, 0x1000, RW}, {0xFFFFF000, 0x1000, RW}}, .heap = {0x11000, 4},
     .sbrk_bytes = 0x2000},
    {"heap-touching", .regions = {{0x12000, 0x1000, RW}}, .heap = {0x10000, 2}, .sbrk_bytes = 0x2000},
    {"heap-under-region", .regions = {{0x12000, 0x1000, RO}}, .heap = {0x10000, 8}, .sbrk_bytes = 0x1000},
    {"in-turn", .strategy = MF_STRATEGY_IN_TURN,
     .regions = {{0, 0x1000, RW}, {0x2000, 0x1000, RO}, {0x10000, 0x2000, RW}, {0xFFFFF000, 0x1000, RW}}},
    {"in-turn-heap", .strategy = MF_STRATEGY_IN_TURN,
     .regions = {{0, 0x1000, RW}, {0x10000, 0x2000, RO}, {0xFFFFF000, 0x1000, RW}}, .heap = {0x4000, 4},
     .sbrk_bytes = 0x1801},
    {"few-windows", .strategy = MF_STRATEGY_FEW_WINDOWS,
     .regions = {{0, 0x1000, RW}, {0x2000, 0x1000, RO}, {0x10000, 0x2000, RW}, {0xFFFFF000, 0x1000, RW}}},
    {"few-windows-heap", .strategy = MF_STRATEGY_FEW_WINDOWS,
     .regions = {{0, 0x1000, RW}, {0x10000, 0x2000, RO}, {0xFFFFF000, 0x1000, RW}}, .heap = {0x4000, 4},
     .sbrk_bytes = 0x1801},
    {"perm-table", .strategy = MF_STRATEGY_PERM_TABLE,
     .regions = {{0, 0x1000, RW},
                 {0x2000, 0x1000, RO},
                 {0x3000, 0x1000, RW},
                 {0x10000, 0x2000, RW},
                 {0xFFFFF000, 0x1000, RW}}},
    {"immediate-bitmap", .strategy = MF_STRATEGY_IMMEDIATE_BITMAP,
     .regions = {{0x1000, 0x1000, RW}, {0x3000, 0x2000, RO}, {0x40000, 0x1000, RW}}},
    {"immediate-bitmap-top", .strategy = MF_STRATEGY_IMMEDIATE_BITMAP,
     .regions = {{0xFFFE0000, 0x2000, RW}, {0xFFFF0000, 0x1000, RO}, {0xFFFFF000, 0x1000, RW}}},
    {"granule-table", .strategy = MF_STRATEGY_GRANULE_TABLE,
     .regions = {{0, 0x8000, RW}, {0x10000, 0x8000, RO}, {0x20000, 0x10000, RW}, {0xFFFF8000, 0x8000, RW}}},
    {"granule-bitmap", .strategy = MF_STRATEGY_GRANULE_BITMAP,
     .regions = {{0, 0x1000, RW}, {0x2000, 0x1000, RO}, {0x3000, 0x1000, RW}, {0xFFFFF000, 0x1000, RW}}},
    {"granule-bitmap-heap", .strategy = MF_STRATEGY_GRANULE_BITMAP,
     .regions = {{0x10000, 0x2000, RW}, {0x20000, 0x1000, RO}}, .heap = {0x12000, 4}, .sbrk_bytes = 0x1801},
    {"bounds", MF_POLICY_BOUNDS, .regions = {{0x2000, 0x1000, RO}, {0x5000, 0x1000, RW}}},
    {"bounds-heap", MF_POLICY_BOUNDS, .regions = {{0x2000, 0x1000, RW}}, .heap = {0x4000, 2},
     .sbrk_bytes = 1},
    {"bounds-empty", MF_POLICY_BOUNDS, .heap = {0, 0}},
    {"none", MF_POLICY_NONE,
     .regions = {{0, 0x1000, RW}, {0x3000, 0x1000, RO}, {0x20000, 0x2000, RW}, {0xFFFFF000, 0x1000, RW}}},
};
const size_t SCENE_COUNT = sizeof SCENES / sizeof SCENES[0];

static random_source source = {1};

/* Random bytes at both ends of every region. */
static void place_bytes(stage *t, mf_layout_builder *builder, uint64_t start) {
    unsigned char bytes[32];
    mf_diag diag;
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (unsigned char)random_u64(&source);
        reference_poke(t->reference, start + i, bytes[i]);
    }
    engines_must(mf_layout_builder_set_bytes(builder, start, bytes, sizeof bytes, &diag), &diag, "set_bytes");
}

static void add_edge(stage *t, uint64_t edge) {
    for (size_t i = 0; i < t->edge_count; i++)
        if (t->edges[i] == edge)
            return;
    if (t->edge_count == SCENE_EDGES_MAX)
        abort();
    t->edges[t->edge_count++] = edge;
}

static void build(stage *t) {
    mf_layout_builder *builder = mf_layout_builder_create();
    mf_heap heap = t->scene->heap;
    mf_diag diag;
    uint64_t offending;
    engines_must(mf_layout_builder_set_heap(builder, heap.base, heap.max_pages, &diag), &diag, "set_heap");
    for (size_t i = 0; i < SCENE_REGIONS_MAX && t->scene->regions[i].size > 0; i++) {
        mf_region r = t->scene->regions[i];
        engines_must(mf_layout_builder_map_region(builder, r.start, r.size, r.access, NULL, 0, &diag), &diag,
                     "map_region");
        reference_map_region(t->reference, r.start, r.size, r.access, NULL, 0, &offending);
        place_bytes(t, builder, r.start);
        place_bytes(t, builder, r.start + r.size - 32);
        add_edge(t, r.start);
        add_edge(t, r.start + r.size);
    }
    engines_must(mf_layout_builder_finish(builder, &t->layout, &t->image, &diag), &diag, "finish");
    mf_layout_builder_destroy(builder);
}

void stage_open(stage *t, const scene *scene) {
    *t = (stage){.scene = scene, .reference = reference_create(scene->heap)};
    add_edge(t, 0);
    add_edge(t, MF_SPACE_BYTES);
    build(t);
    reference_seal(t->reference);
    stage_reset(t, scene->sbrk_bytes);
    uint64_t heap_base = scene->heap.base;
    add_edge(t, heap_base);
    add_edge(t, heap_base + (uint64_t)scene->heap.max_pages * MF_PAGE_SIZE);
    add_edge(t, (t->reference->now.heap_top + MF_PAGE_SIZE - 1) / MF_PAGE_SIZE * MF_PAGE_SIZE);
}

void stage_close(stage *t) {
    reference_destroy(t->reference);
    mf_layout_release(t->layout);
    mf_image_release(t->image);
}

void stage_reset(stage *t, uint64_t sbrk_bytes) {
    uint64_t old_top;
    reference_reset(t->reference);
    if (!reference_sbrk(t->reference, sbrk_bytes, &old_top))
        abort();
}

mf_memory *stage_memory(const stage *t, mf_backend backend, uint64_t sbrk_bytes) {
    mf_memory *memory;
    mf_diag diag;
    uint64_t old_top;
    engines_must(mf_memory_create(t->layout, t->image, backend, &memory, &diag), &diag, "create");
    engines_must(mf_memory_sbrk(memory, sbrk_bytes, &old_top, &diag), &diag, "sbrk");
    return memory;
}
