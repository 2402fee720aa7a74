/* The scene of a layout: its two memories, filled, with their bytes and windows open to the engines. */
#include "bench/scene.h"

#include "bench/costs.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define LINE_BYTES 64
#define HUGE_PAGE_BYTES (UINT64_C(1) << 21)

static void clear_tlb(guest_view *guest) {
    for (int operation = MF_LOAD; operation <= MF_STORE; operation++)
        for (int i = 0; i < GUEST_TLB_ENTRIES; i++)
            guest->tlb[operation][i].page = GUEST_TLB_EMPTY;
}

static bool list_windows(bench_scene *scene, mf_operation operation) {
    const mf_layout *layout = scene->layout->layout;
    guest_window *all = calloc(mf_layout_region_count(layout) + 1, sizeof *all);
    mf_window window;
    uint64_t count = 0;
    scene->windows[operation] = all;
    if (all == NULL)
        return false;
    for (uint64_t from = 0; mf_layout_window_lookup(layout, operation, from, &window);
         from = window.start + window.size)
        all[count++] = (guest_window){window.start, window.size};
    for (int backend = MF_BACKEND_COPY; backend <= MF_BACKEND_X86_PAGED; backend++)
        scene->guests[backend].windows[operation] = (guest_windows){all, count};
    return true;
}

/*
 * Without huge pages random accesses are accesses to the host's page tables. The copy backend asks for them
 * in large regions only; here also the holes between small ones may be backed.
 */
bool bench_ask_huge_pages(const mf_layout *layout, unsigned char *base) {
    uint64_t bytes = (mf_layout_len(layout) + HUGE_PAGE_BYTES - 1) / HUGE_PAGE_BYTES * HUGE_PAGE_BYTES;
    return madvise(base, bytes, MADV_HUGEPAGE) == 0;
}

static mf_status open_backend(bench_scene *scene, mf_backend backend, mf_diag *diag) {
    guest_view *guest = &scene->guests[backend];
    const mf_layout *layout = scene->layout->layout;
    mf_status status = mf_memory_create(layout, NULL, backend, &scene->memories[backend], diag);
    if (status != MF_OK)
        return status;
    mf_view_attach(&guest->view, scene->memories[backend]);
    guest->len = mf_layout_len(layout);
    clear_tlb(guest);
    return MF_OK;
}

mf_status bench_scene_init(bench_scene *scene, const bench_layout *layout, mf_diag *diag) {
    *scene = (bench_scene){.layout = layout};
    mf_status status = MF_OK;
    for (int backend = MF_BACKEND_COPY; backend <= MF_BACKEND_X86_PAGED && status == MF_OK; backend++)
        status = open_backend(scene, (mf_backend)backend, diag);
    if (status != MF_OK)
        return status;
    scene->huge_pages = bench_ask_huge_pages(layout->layout, scene->guests[MF_BACKEND_COPY].view.base);
    bool listed = list_windows(scene, MF_LOAD) && list_windows(scene, MF_STORE);
    return listed ? MF_OK : bench_out_of_memory(diag);
}

void bench_scene_fini(bench_scene *scene) {
    for (int backend = MF_BACKEND_COPY; backend <= MF_BACKEND_X86_PAGED; backend++) {
        if (scene->memories[backend] != NULL)
            mf_view_detach(&scene->guests[backend].view);
        mf_memory_destroy(scene->memories[backend]);
    }
    free(scene->windows[MF_LOAD]);
    free(scene->windows[MF_STORE]);
}

/* Each word differs from its neighbours; the first one is the address of the next line. */
static void fill_line(unsigned char *base, const bench_work *work, size_t i) {
    uint32_t address = work->lines[i].address;
    uint32_t words[LINE_BYTES / 4];
    for (uint32_t w = 0; w < LINE_BYTES / 4; w++)
        words[w] = (address + 4 * w) * UINT32_C(2246822519) + 7;
    words[0] = work->lines[(i + 1) % work->line_count].address;
    memcpy(base + address, words, sizeof words);
}

static void fill_lines(unsigned char *base, const bench_work *work, bool writable) {
    for (size_t i = 0; i < work->line_count; i++)
        if (work->lines[i].writable == writable)
            fill_line(base, work, i);
}

/* Gives all read-only regions one permission. */
static mf_status protect_read_only(const mf_layout *layout, mf_memory *memory, mf_perm perm, mf_diag *diag) {
    mf_status status = MF_OK;
    for (size_t i = 0; i < mf_layout_region_count(layout) && status == MF_OK; i++) {
        mf_region region = mf_layout_region(layout, i);
        if (region.access == MF_READ_ONLY)
            status = mf_memory_protect(memory, region.start, region.size, perm, diag);
    }
    return status;
}

mf_status bench_read_only_open(const mf_layout *layout, mf_memory *memory, mf_diag *diag) {
    return protect_read_only(layout, memory, MF_PERM_RW, diag);
}

/*
 * After the changes the permissions are again those that the accessors were made for. Asking for the layout
 * makes the memory find that out now and not during a measurement.
 */
mf_status bench_read_only_close(const mf_layout *layout, mf_memory *memory, mf_diag *diag) {
    mf_layout *found = NULL;
    mf_status status = protect_read_only(layout, memory, MF_PERM_RO, diag);
    if (status == MF_OK)
        status = mf_memory_layout(memory, &found, diag);
    if (status == MF_OK)
        mf_layout_release(found);
    return status;
}

mf_status bench_scene_prepare(bench_scene *scene, const bench_work *work, mf_diag *diag) {
    for (int backend = MF_BACKEND_COPY; backend <= MF_BACKEND_X86_PAGED; backend++) {
        mf_memory *memory = scene->memories[backend];
        mf_status status = bench_read_only_open(scene->layout->layout, memory, diag);
        if (status != MF_OK)
            return status;
        fill_lines(scene->guests[backend].view.base, work, false);
        status = bench_read_only_close(scene->layout->layout, memory, diag);
        if (status != MF_OK)
            return status;
        bench_scene_restore(scene, (mf_backend)backend, work);
    }
    return MF_OK;
}

void bench_scene_restore(bench_scene *scene, mf_backend backend, const bench_work *work) {
    guest_view *guest = &scene->guests[backend];
    fill_lines(guest->view.base, work, true);
    guest->view.fault = (mf_fault){0};
    clear_tlb(guest);
}

uint64_t bench_scene_checksum(const bench_scene *scene, mf_backend backend, const bench_work *work) {
    const unsigned char *base = scene->guests[backend].view.base;
    uint64_t sum = 0;
    for (size_t i = 0; i < work->line_count; i++) {
        uint64_t words[LINE_BYTES / 8];
        memcpy(words, base + work->lines[i].address, sizeof words);
        for (size_t w = 0; w < LINE_BYTES / 8; w++)
            sum = sum * UINT64_C(0x9e3779b97f4a7c15) + words[w];
    }
    return sum;
}
