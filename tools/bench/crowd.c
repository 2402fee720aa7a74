/* A crowd: memories of one image that have read in every 16th page and written one, all alive at once. */
#include "bench/crowd.h"

#include "bench/costs.h"

#include <memfold/memory.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CROWD_MEMORIES 1000
#define CROWD_MEMORIES_QUICK 20
#define IMAGE_BYTES (UINT64_C(16) << 20)
#define PAGES_APART 16

/* So much more than one image each, and there are no more of them. */
#define RESIDENT_MAX_KIB (2u << 20)

/* The value of a line "Name:   123 kB" in a file of the process; 0 if there is none. */
static double read_kib(const char *path, const char *name) {
    char line[256];
    unsigned long kib = 0;
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, name, strlen(name)) == 0)
            sscanf(line + strlen(name), ": %lu", &kib);
    if (file != NULL)
        fclose(file);
    return (double)kib;
}

/* What the process has of the host's memory; pages that it has mapped often count once. */
static double resident_kib(void) {
    return read_kib("/proc/self/smaps_rollup", "Pss") + read_kib("/proc/self/status", "VmPTE");
}

static mf_status make_guest(mf_layout **layout, mf_image **image, mf_diag *diag) {
    mf_layout_builder *builder = mf_layout_builder_create();
    unsigned char *bytes = malloc(IMAGE_BYTES);
    mf_status status = builder == NULL || bytes == NULL ? bench_out_of_memory(diag) : MF_OK;
    if (status == MF_OK) {
        memset(bytes, 3, IMAGE_BYTES);
        status =
            mf_layout_builder_map_region(builder, 0, IMAGE_BYTES, MF_READ_WRITE, bytes, IMAGE_BYTES, diag);
    }
    if (status == MF_OK)
        status = mf_layout_builder_finish(builder, layout, image, diag);
    free(bytes);
    mf_layout_builder_destroy(builder);
    return status;
}

static void live(mf_memory *memory, uint64_t seed) {
    volatile unsigned char *base = mf_memory_view(memory)->base;
    for (uint64_t at = 0; at < IMAGE_BYTES; at += PAGES_APART * MF_PAGE_SIZE)
        (void)base[at];
    base[seed * 7919 % (IMAGE_BYTES / MF_PAGE_SIZE) * MF_PAGE_SIZE] = 1;
}

static mf_status fill(bench_crowd *crowd, mf_memory **memories, const mf_layout *layout,
                      const mf_image *image, mf_backend backend, uint64_t count, mf_diag *diag) {
    const mf_memory_config config = {.backend = backend, .huge_pages = MF_HUGE_PAGES_NEVER};
    double before = resident_kib();
    mf_status status = MF_OK;
    double more = 0;
    while (status == MF_OK && crowd->memories < count && more < RESIDENT_MAX_KIB) {
        status = mf_memory_create_with(layout, image, &config, &memories[crowd->memories], diag);
        if (status == MF_OK)
            live(memories[crowd->memories], crowd->memories);
        crowd->memories += status == MF_OK;
        if (crowd->memories % 10 == 0)
            more = resident_kib() - before;
    }
    crowd->kib_each = (resident_kib() - before) / (double)(crowd->memories + (crowd->memories == 0));
    return status;
}

mf_status bench_crowd_measure(bench_crowd *crowd, mf_backend backend, bool quick, mf_diag *diag) {
    uint64_t count = quick ? CROWD_MEMORIES_QUICK : CROWD_MEMORIES;
    mf_memory **memories = calloc(count, sizeof *memories);
    mf_layout *layout = NULL;
    mf_image *image = NULL;
    *crowd = (bench_crowd){.side = bench_backend_name(backend), .image_bytes = IMAGE_BYTES};
    mf_status status = memories == NULL ? bench_out_of_memory(diag) : make_guest(&layout, &image, diag);
    if (status == MF_OK)
        status = fill(crowd, memories, layout, image, backend, count, diag);
    for (uint64_t i = 0; i < crowd->memories; i++)
        mf_memory_destroy(memories[i]);
    mf_image_release(image);
    mf_layout_release(layout);
    free(memories);
    return status;
}
