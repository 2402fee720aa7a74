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
#include "sharing.h"
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
    if (!host_pages_try(memory, run, perm) || (opens && !host_pages_try(memory, run, MF_PERM_RW)) ||
        !map_populate(memory->paged.map, page_run_of(page_bytes(run.first), page_ceil(count)))) {
        host_pages_restore_since(memory, run, changes);
        map_unreserve(memory->paged.map, run);
        return false;
    }
    if (count > 0)
        memcpy(memory->view.base + page_bytes(run.first), bytes, count);
    if (opens)
        host_pages_insist(memory, run, perm);
    paged_extend(memory, page_bytes(run.end));
    paged_touch(memory, run);
    return true;
}

/*
 * New pages of the heap. Other threads access the memory, and the MMU lets them as soon as the permission is
 * there; so the pages are zero before. They are so already if nothing but stores and sbrk has happened, and
 * the image has no bytes there.
 */
static bool grow(mf_memory *memory, page_run run) {
    bool is_zero = paged_has_only_grown(memory) && !sharing_has_image(memory, run) &&
                   !backed_has_any(&memory->backed, run);
    if (is_zero)
        return host_pages_set(memory, run, MF_PERM_RW);
    if (!backed_reserve(&memory->backed, 1) || !map_renew(memory->paged.map, run))
        return false;
    backed_remove(&memory->backed, run);
    paged_touch(memory, run);
    return true;
}

/* Pages without permission, which can be opened: the host has let them be a moment before. */
static void overwrite_hidden(const mf_memory *memory, page_run run) {
    host_pages_insist(memory, run, MF_PERM_RW);
    os_overwrite(memory->view.base + page_bytes(run.first), page_bytes(run.end - run.first));
    host_pages_insist(memory, run, MF_PERM_NONE);
}

static void hide_backed(mf_memory *memory, page_run run) {
    if (backed_reserve(&memory->backed, 1) && map_zero(memory->paged.map, run, MF_PERM_NONE))
        backed_remove(&memory->backed, run);
    else
        overwrite_hidden(memory, run);
}

static void hide_plain(mf_memory *memory, page_run run) {
    if (!run_is_empty(run) && !map_drop(memory->paged.map, run))
        overwrite_hidden(memory, run);
}

/*
 * Pages of which some are mappings of images. What the host does not take back is overwritten, and by then
 * some bytes are lost; so it is asked before whether it would let that be.
 */
static bool hide_with_backed(mf_memory *memory, page_run run) {
    if (!host_pages_try(memory, run, MF_PERM_RW) || !host_pages_try(memory, run, MF_PERM_NONE)) {
        host_pages_restore(memory, run);
        return false;
    }
    while (!run_is_empty(run)) {
        size_t at = backed_find(&memory->backed, run.first);
        page_run next = at < memory->backed.count ? memory->backed.runs[at].pages : run;
        page_run backed = at < memory->backed.count ? run_common(next, run) : (page_run){run.end, run.end};
        if (run_is_empty(backed))
            backed = (page_run){run.end, run.end};
        hide_plain(memory, (page_run){run.first, backed.first});
        if (!run_is_empty(backed))
            hide_backed(memory, backed);
        run.first = backed.end;
    }
    return true;
}

static bool hide(mf_memory *memory, page_run run) {
    if (!host_pages_set(memory, run, MF_PERM_NONE))
        return false;
    if (backed_has_any(&memory->backed, run)) {
        if (!hide_with_backed(memory, run))
            return false;
    } else if (!map_drop(memory->paged.map, run) && !host_pages_zero_by_hand(memory, run, MF_PERM_NONE)) {
        host_pages_restore(memory, run);
        return false;
    }
    paged_touch(memory, run);
    return true;
}

static bool paged_clear(mf_memory *memory, page_run run, mf_perm perm) {
    if (perm == MF_PERM_RW ? !grow(memory, run) : !hide(memory, run))
        return false;
    paged_extend(memory, page_bytes(run.end));
    return true;
}

/* ---- For images ---------------------------------------------------------------------------- */

static bool paged_map_image(mf_memory *memory, page_run run, mf_perm perm, const os_shared *shared,
                            size_t offset) {
    return map_image(memory->paged.map, run, perm, shared, offset);
}

static bool paged_map_zero(mf_memory *memory, page_run run, mf_perm perm) {
    return map_zero(memory->paged.map, run, perm);
}

static bool paged_visit_written(mf_memory *memory, os_visit *visit, void *context) {
    return host_pages_visit_written(memory, (page_run){0, MF_SPACE_PAGES}, visit, context);
}

/* Pages without permission are readable for as long as it takes. */
static bool paged_read(mf_memory *memory, page_run rest, unsigned char *to) {
    while (!run_is_empty(rest)) {
        page_run part = perms_next_run(memory->table.perms, &rest);
        bool is_hidden = memory->table.perms[part.first] == MF_PERM_NONE;
        size_t bytes = page_bytes(part.end - part.first);
        if (is_hidden && !host_pages_set(memory, part, MF_PERM_RO))
            return false;
        memcpy(to, memory->view.base + page_bytes(part.first), bytes);
        if (is_hidden)
            host_pages_restore(memory, part);
        to += bytes;
    }
    return true;
}

static const backend_ops ops = {
    .open = paged_open,
    .close = paged_close,
    .build = paged_build,
    .clone = paged_clone,
    .rebuild = paged_rebuild,
    .maps_parts = true,
    .map_image = paged_map_image,
    .map_zero = paged_map_zero,
    .visit_written = paged_visit_written,
    .read = paged_read,
    .change = paged_change,
    .clear = paged_clear,
};

const backend_ops *const backend_x86_paged = &ops;
