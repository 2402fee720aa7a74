/* The maps of the programs, their memories, and the arrays in them. */
#include "bench/program_scene.h"

#include "bench/costs.h"
#include "bench/layouts.h"
#include "bench/scene.h"

#include <stdlib.h>
#include <string.h>

#define LINE_BYTES 64
#define SKEW_LINES 3 /* between arrays, so that no two begin at the same place of a page */

static mf_layout *make_layout(program_map_id id) {
    switch (id) {
    case PROGRAM_MAP_1:
        return bench_layout_regions(1);
    case PROGRAM_MAP_4:
        return bench_layout_regions(4);
    case PROGRAM_MAP_HEAP:
        return bench_layout_heap();
    default:
        return bench_layout_regions(16);
    }
}

static mf_status grow_heap(const program_map *map, mf_backend backend, mf_diag *diag) {
    uint64_t old_top;
    if (mf_layout_heap(map->layout).max_pages == 0)
        return MF_OK;
    return mf_memory_sbrk(map->memories[backend], BENCH_HEAP_GROWN_BYTES, &old_top, diag);
}

static mf_status open_map(program_map *map, program_map_id id, bool *huge_pages, mf_diag *diag) {
    map->layout = make_layout(id);
    map->guests = calloc(2, sizeof *map->guests);
    if (map->layout == NULL || map->guests == NULL)
        return bench_out_of_memory(diag);
    for (int backend = MF_BACKEND_COPY; backend <= MF_BACKEND_X86_PAGED; backend++) {
        mf_status status =
            mf_memory_create(map->layout, NULL, (mf_backend)backend, &map->memories[backend], diag);
        if (status == MF_OK)
            status = grow_heap(map, (mf_backend)backend, diag);
        if (status != MF_OK)
            return status;
        mf_view_attach(&map->guests[backend].view, map->memories[backend]);
        map->guests[backend].len = mf_layout_len(map->layout);
    }
    *huge_pages = bench_ask_huge_pages(map->layout, map->guests[MF_BACKEND_COPY].view.base);
    return MF_OK;
}

mf_status program_scene_init(program_scene *scene, mf_diag *diag) {
    mf_status status = MF_OK;
    *scene = (program_scene){0};
    for (int i = 0; status == MF_OK && i < PROGRAM_MAP_COUNT; i++)
        status = open_map(&scene->maps[i], (program_map_id)i, &scene->huge_pages, diag);
    return status;
}

void program_scene_fini(program_scene *scene) {
    for (int i = 0; i < PROGRAM_MAP_COUNT; i++) {
        program_map *map = &scene->maps[i];
        for (int backend = MF_BACKEND_COPY; backend <= MF_BACKEND_X86_PAGED; backend++) {
            if (map->memories[backend] != NULL)
                mf_view_detach(&map->guests[backend].view);
            mf_memory_destroy(map->memories[backend]);
        }
        mf_layout_release(map->layout);
        free(map->guests);
    }
}

/* ---- Placing: each array goes to the next range of its kind in turn, behind what is there ---- */

/* The regions, and what the heap has grown by. */
typedef struct ranges {
    mf_region all[16 + 1];
    uint64_t used[16 + 1];
    size_t count;
} ranges;

static ranges list_ranges(const mf_layout *layout) {
    ranges r = {.count = mf_layout_region_count(layout)};
    for (size_t i = 0; i < r.count; i++)
        r.all[i] = mf_layout_region(layout, i);
    mf_heap heap = mf_layout_heap(layout);
    if (heap.max_pages > 0)
        r.all[r.count++] = (mf_region){heap.base, BENCH_HEAP_GROWN_BYTES, MF_READ_WRITE};
    return r;
}

/* A map without read-only regions takes all arrays in its others. */
static bool takes(const ranges *r, size_t range, bool writable) {
    bool any_read_only = r->count > 1;
    bool read_only = r->all[range].access == MF_READ_ONLY;
    return any_read_only && !writable ? read_only : !read_only;
}

static void place_arrays(program_map *map, const program *program) {
    ranges r = list_ranges(map->layout);
    size_t next[2] = {0, 0}; /* where the search goes on, by writable */
    for (int i = 0; i < PROGRAM_ARRAYS_MAX && program->arrays[i].bytes > 0; i++) {
        const program_array *array = &program->arrays[i];
        size_t at = next[array->writable];
        while (!takes(&r, at % r.count, array->writable))
            at++;
        next[array->writable] = at + 1;
        mf_region range = r.all[at % r.count];
        uint64_t *used = &r.used[at % r.count];
        uint64_t lines = (array->bytes + LINE_BYTES - 1) / LINE_BYTES;
        uint64_t start = *used + (uint64_t)(i + 1) * SKEW_LINES * LINE_BYTES;
        if (start + lines * LINE_BYTES > range.size)
            abort();
        map->work.at[i] = (uint32_t)(range.start + start);
        *used = start + lines * LINE_BYTES;
    }
}

static mf_status fill(program_map *map, const program *program, mf_backend backend, mf_diag *diag) {
    unsigned char *arrays[PROGRAM_ARRAYS_MAX];
    for (int i = 0; i < PROGRAM_ARRAYS_MAX; i++)
        arrays[i] = map->guests[backend].view.base + map->work.at[i];
    mf_status status = bench_read_only_open(map->layout, map->memories[backend], diag);
    if (status != MF_OK)
        return status;
    program->fill(arrays);
    return bench_read_only_close(map->layout, map->memories[backend], diag);
}

mf_status program_scene_enter(program_scene *scene, const program *program, mf_diag *diag) {
    mf_status status = MF_OK;
    scene->program = program;
    for (int i = 0; i < PROGRAM_MAP_COUNT; i++) {
        place_arrays(&scene->maps[i], program);
        for (int backend = MF_BACKEND_COPY; status == MF_OK && backend <= MF_BACKEND_X86_PAGED; backend++)
            status = fill(&scene->maps[i], program, (mf_backend)backend, diag);
    }
    return status;
}

/* ---- The arrays' bytes ---- */

void program_scene_clear(const program_scene *scene, program_map_id id, mf_backend backend) {
    const program_map *map = &scene->maps[id];
    for (int i = 0; i < PROGRAM_ARRAYS_MAX; i++) {
        const program_array *array = &scene->program->arrays[i];
        if (array->writable)
            memset(map->guests[backend].view.base + map->work.at[i], 0, array->bytes);
    }
}

uint64_t program_scene_checksum(const program_scene *scene, program_map_id id, mf_backend backend) {
    const program_map *map = &scene->maps[id];
    uint64_t sum = 0;
    for (int i = 0; i < PROGRAM_ARRAYS_MAX; i++) {
        const unsigned char *bytes = map->guests[backend].view.base + map->work.at[i];
        for (uint32_t at = 0; at < scene->program->arrays[i].bytes; at += 2) {
            uint16_t half;
            memcpy(&half, bytes + at, sizeof half);
            sum = (sum ^ half) * UINT64_C(0x9e3779b97f4a7c15);
            sum ^= sum >> 29;
        }
    }
    return sum;
}
