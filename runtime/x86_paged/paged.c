/*
 * The paged backend: guest pages are pages of the CPU, so what an access may touch is what the host has
 * mapped. The base never moves, and the host's permissions equal the table's except inside an operation.
 * Bytes are private anonymous memory and stay in a page whatever its permission is.
 *
 * The host may refuse any change of permissions. So whatever can be refused comes first and is taken back if
 * it is; what follows only returns to permissions that the host has granted a moment before, and insists
 * (host_pages.h).
 */
#include "memory_impl.h"
#include "x86_paged/host_pages.h"
#include "x86_paged/map.h"
#include "x86_paged/operations.h"
#include "x86_paged/reservations.h"

#include <memfold/fault_handler.h>

#include <string.h>

/* ---- Life ---------------------------------------------------------------------------------- */

/* With larger pages the host could not give two guest pages beside each other different permissions. */
static mf_status paged_open(mf_memory *memory, mf_diag *diag) {
    if (os_page_bytes() != MF_PAGE_SIZE) {
        return mf_diag_set(diag, MF_INVALID_ARGUMENT, MF_BACKEND_X86_PAGED,
                           "the x86_paged backend needs a host with pages of %d bytes, not %llu",
                           MF_PAGE_SIZE, (unsigned long long)os_page_bytes());
    }
    mf_status status = mf_fault_handler_install(diag);
    if (status != MF_OK)
        return status;
    uint64_t bytes = memory->config.index == MF_MEMORY_U32 ? RESERVATION_U32_BYTES : RESERVATION_BYTES;
    memory->paged.map =
        map_open(memory->table.perms, bytes, memory->config.huge_pages == MF_HUGE_PAGES_ALLOWED);
    if (memory->paged.map == NULL) {
        mf_fault_handler_uninstall();
        return memory_exhausted(diag);
    }
    memory->view.base = map_base(memory->paged.map);
    return MF_OK;
}

static void paged_close(mf_memory *memory) {
    if (memory->paged.map != NULL) {
        map_close(memory->paged.map);
        mf_fault_handler_uninstall();
    }
}

/* ---- Live changes -------------------------------------------------------------------------- */

static bool paged_change(mf_memory *memory, page_run run, mf_perm perm, const void *bytes, size_t count) {
    bool opens = count > 0 && perm != MF_PERM_RW;
    unsigned long changes = map_changes(memory->paged.map);
    if (!host_pages_try(memory, run, perm) || (opens && !host_pages_try(memory, run, MF_PERM_RW))) {
        host_pages_restore_since(memory, run, changes);
        return false;
    }
    if (count > 0)
        memcpy(memory->view.base + page_bytes(run.first), bytes, count);
    if (opens)
        host_pages_insist(memory, run, perm);
    paged_extend(memory, page_bytes(run.end));
    memory->paged.only_grown = false;
    return true;
}

static bool image_reaches(const mf_memory *memory, page_run run) {
    for (size_t i = 0; i < memory_chunk_count(memory); i++) {
        page_run pages = chunk_pages(memory->image->chunks[i]);
        if (pages.first < run.end && run.first < pages.end)
            return true;
    }
    return false;
}

/*
 * New pages of the heap. Other threads access the memory, and the MMU lets them as soon as the permission is
 * there; so the pages are zero before. They are so already if nothing but stores and sbrk has happened, and
 * the image has no bytes there.
 */
static bool grow(mf_memory *memory, page_run run) {
    bool is_zero = memory->paged.only_grown && !image_reaches(memory, run);
    memory->paged.only_grown = is_zero;
    return is_zero ? host_pages_set(memory, run, MF_PERM_RW) : map_renew(memory->paged.map, run);
}

static bool hide(mf_memory *memory, page_run run) {
    if (!host_pages_set(memory, run, MF_PERM_NONE))
        return false;
    if (!map_drop(memory->paged.map, run) && !host_pages_zero_by_hand(memory, run, MF_PERM_NONE)) {
        host_pages_restore(memory, run);
        return false;
    }
    memory->paged.only_grown = false;
    return true;
}

static bool paged_clear(mf_memory *memory, page_run run, mf_perm perm) {
    if (perm == MF_PERM_RW ? !grow(memory, run) : !hide(memory, run))
        return false;
    paged_extend(memory, page_bytes(run.end));
    return true;
}

static const backend_ops ops = {
    .open = paged_open,
    .close = paged_close,
    .build = paged_build,
    .clone = paged_clone,
    .rebuild = paged_rebuild,
    .change = paged_change,
    .clear = paged_clear,
};

const backend_ops *const backend_x86_paged = &ops;
