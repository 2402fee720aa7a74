/* The scene of a layout: its two memories, filled, with their bytes and windows open to the engines. */
#ifndef MEMFOLD_TOOLS_BENCH_SCENE_H
#define MEMFOLD_TOOLS_BENCH_SCENE_H

#include "bench/guest/guest.h"
#include "bench/layouts.h"
#include "bench/work.h"

#include <memfold/memory.h>

#include <stdbool.h>

/* A layout with its two memories and, for each, what engines read. */
typedef struct bench_scene {
    const bench_layout *layout;
    mf_memory *memories[2]; /* by mf_backend */
    guest_view guests[2];
    guest_window *windows[2]; /* by mf_operation */
    bool huge_pages;          /* the copy backend's bytes are on huge pages of the host */
} bench_scene;

/* Creates the memories. bench_scene_fini is due in any case. */
mf_status bench_scene_init(bench_scene *scene, const bench_layout *layout, mf_diag *diag);
void bench_scene_fini(bench_scene *scene);

/* Gives the lines their bytes in both memories, those of read-only pages too. */
mf_status bench_scene_prepare(bench_scene *scene, const bench_work *work, mf_diag *diag);

/* Gives the writable lines of one memory their bytes again, and forgets faults and TLB entries. */
void bench_scene_restore(bench_scene *scene, mf_backend backend, const bench_work *work);

/* Of the bytes of all lines: two memories with the same checksum hold the same. */
uint64_t bench_scene_checksum(const bench_scene *scene, mf_backend backend, const bench_work *work);

/* ---- For any memory whose layout has read-only regions ---- */

/* Those regions can be written, as long as their bytes are given to them; then they are read-only again. */
mf_status bench_read_only_open(const mf_layout *layout, mf_memory *memory, mf_diag *diag);
mf_status bench_read_only_close(const mf_layout *layout, mf_memory *memory, mf_diag *diag);

/* Asks for huge pages below a copy memory's base; false if the host refuses. */
bool bench_ask_huge_pages(const mf_layout *layout, unsigned char *base);

#endif
