/* Where the programs run: the maps with their memories, and the arrays of a program in them. */
#ifndef MEMFOLD_TOOLS_BENCH_PROGRAM_SCENE_H
#define MEMFOLD_TOOLS_BENCH_PROGRAM_SCENE_H

#include "bench/program_engines.h"
#include "bench/programs/description.h"

#include <memfold/layout.h>
#include <memfold/memory.h>

/* A map with a memory and a view for each backend. */
typedef struct program_map {
    mf_layout *layout;
    mf_memory *memories[2]; /* by mf_backend */
    program_view *guests;   /* two, by mf_backend */
    program_work work;      /* where the program's arrays are now */
} program_map;

typedef struct program_scene {
    program_map maps[PROGRAM_MAP_COUNT];
    bool huge_pages;        /* the copy memories are on huge pages of the host */
    const program *program; /* the one whose arrays are there */
} program_scene;

/* Creates the memories. program_scene_fini is due in any case. */
mf_status program_scene_init(program_scene *scene, mf_diag *diag);
void program_scene_fini(program_scene *scene);

/* Places the program's arrays in all maps, and gives the read-only ones their bytes. */
mf_status program_scene_enter(program_scene *scene, const program *program, mf_diag *diag);

/* The writable arrays are zero in this memory, so that nothing of an earlier run passes for a later one's. */
void program_scene_clear(const program_scene *scene, program_map_id map, mf_backend backend);

/* Of the bytes of all arrays: two memories with the same checksum hold the same, wherever the arrays are. */
uint64_t program_scene_checksum(const program_scene *scene, program_map_id map, mf_backend backend);

#endif
