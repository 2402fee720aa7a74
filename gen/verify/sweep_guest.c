#include "verify/sweep_guest.h"

#include <stdlib.h>
#include <string.h>

bool sweep_guest_init(sweep_guest *g, mf_memory *memory, const sweep_contract *contract) {
    *g = (sweep_guest){.memory = memory,
                       .view = mf_memory_view(memory),
                       .contract = contract,
                       .backend = mf_memory_backend(memory),
                       .is_filled = calloc(MF_SPACE_PAGES, 1)};
    return g->is_filled != NULL;
}

void sweep_guest_fini(sweep_guest *g) {
    free(g->is_filled);
    g->is_filled = NULL;
}

/* From a change on the stamp of the view is of no layout until somebody asks. */
static mf_status renew_stamp(sweep_guest *g, mf_diag *diag) {
    mf_layout *layout;
    mf_status status = mf_memory_layout(g->memory, &layout, diag);
    if (status == MF_OK)
        mf_layout_release(layout);
    return status;
}

mf_status sweep_guest_reset(sweep_guest *g, uint32_t heap_pages, mf_diag *diag) {
    uint64_t old_top;
    for (uint32_t i = 0; i < g->page_count; i++)
        g->is_filled[g->pages[i]] = 0;
    g->page_count = 0;
    g->heap_pages = heap_pages;
    mf_status status = mf_memory_reset(g->memory, diag);
    if (status == MF_OK)
        status = mf_memory_sbrk(g->memory, (uint64_t)heap_pages * MF_PAGE_SIZE, &old_top, diag);
    if (status == MF_OK)
        status = renew_stamp(g, diag);
    g->attached = *g->view;
    return status;
}

bool sweep_guest_has_room(const sweep_guest *g, uint32_t pages) {
    return g->page_count + pages <= SWEEP_PAGES_MAX;
}

/* The MMU keeps the sweep, too, from writing to pages that are read-only. */
static mf_status fill_page(sweep_guest *g, uint32_t page, mf_diag *diag) {
    unsigned char bytes[MF_PAGE_SIZE];
    uint64_t start = (uint64_t)page * MF_PAGE_SIZE;
    for (uint32_t i = 0; i < MF_PAGE_SIZE; i++)
        bytes[i] = sweep_guest_byte(start + i);
    bool is_protected = g->backend == MF_BACKEND_X86_PAGED && g->contract->perms[page] == MF_PERM_RO;
    if (!is_protected) {
        memcpy(g->view->base + start, bytes, sizeof bytes);
        return MF_OK;
    }
    mf_status status =
        mf_memory_map_region(g->memory, start, MF_PAGE_SIZE, MF_READ_ONLY, bytes, sizeof bytes, diag);
    return status == MF_OK ? renew_stamp(g, diag) : status;
}

mf_status sweep_guest_fill(sweep_guest *g, uint64_t first, uint64_t last, mf_diag *diag) {
    mf_status status = MF_OK;
    for (uint64_t page = first / MF_PAGE_SIZE; page <= last / MF_PAGE_SIZE && status == MF_OK; page++) {
        if (page >= MF_SPACE_PAGES || g->is_filled[page] || g->contract->perms[page] == MF_PERM_NONE)
            continue;
        g->is_filled[page] = 1;
        g->pages[g->page_count++] = (uint32_t)page;
        status = fill_page(g, (uint32_t)page, diag);
    }
    return status;
}

/* The copy backend has bytes up to its highest end, whatever their permission (memory.h). */
bool sweep_guest_is_readable(const sweep_guest *g, uint64_t index) {
    if (g->backend == MF_BACKEND_COPY)
        return index < g->contract->bounds_end;
    return g->contract->perms[index / MF_PAGE_SIZE] != MF_PERM_NONE;
}

bool sweep_guest_is_unchanged(const sweep_guest *g, uint64_t *index) {
    for (uint32_t n = 0; n < g->page_count; n++) {
        uint64_t start = (uint64_t)g->pages[n] * MF_PAGE_SIZE;
        for (uint32_t i = 0; i < MF_PAGE_SIZE; i++)
            if (g->view->base[start + i] != sweep_guest_byte(start + i)) {
                *index = start + i;
                return false;
            }
    }
    return true;
}
