/* Changes of a memory's pages and heap. */
#include "live_layout.h"
#include "memory_impl.h"
#include "views.h"

static void set_live_perms(mf_memory *memory, page_run run, mf_perm perm) {
    if (!perms_all(memory->table.perms, run, perm)) {
        perm_table_set(&memory->table, run, perm);
        live_layout_drop(memory);
    }
}

/* The pages of a range that map_region or protect has accepted, and the first bytes in them. */
static mf_status change(mf_memory *memory, page_run run, mf_perm perm, const void *bytes, size_t count,
                        mf_diag *diag) {
    if (count == 0 && perms_all(memory->table.perms, run, perm))
        return MF_OK;
    if (!memory->ops->change(memory, run, perm, bytes, count))
        return memory_exhausted(diag);
    set_live_perms(memory, run, perm);
    return MF_OK;
}

mf_status mf_memory_map_region(mf_memory *memory, uint64_t start, uint64_t size, mf_access access,
                               const void *init, size_t init_bytes, mf_diag *diag) {
    mf_status status = access_check(access, diag);
    if (status == MF_OK)
        status = page_range_check(start, size, diag);
    if (status != MF_OK || size == 0)
        return status;
    size_t count = init == NULL ? 0 : init_bytes < size ? init_bytes : (size_t)size;
    return change(memory, page_run_of(start, size), (mf_perm)access, init, count, diag);
}

mf_status mf_memory_protect(mf_memory *memory, uint64_t start, uint64_t size, mf_perm perm, mf_diag *diag) {
    mf_status status = perm_check(perm, diag);
    if (status == MF_OK)
        status = page_range_check(start, size, diag);
    if (status != MF_OK || size == 0)
        return status;
    return change(memory, page_run_of(start, size), perm, NULL, 0, diag);
}

mf_status mf_memory_unmap(mf_memory *memory, uint64_t start, uint64_t size, mf_diag *diag) {
    mf_status status = page_range_check(start, size, diag);
    if (status != MF_OK || size == 0)
        return status;
    page_run run = page_run_of(start, size);
    if (!memory->ops->clear(memory, run, MF_PERM_NONE))
        return memory_exhausted(diag);
    set_live_perms(memory, run, MF_PERM_NONE);
    return MF_OK;
}

/*
 * The new pages are cleared even though they are NONE: protect may have left bytes there, and so may a
 * store under the bounds policy.
 */
mf_status mf_memory_sbrk(mf_memory *memory, uint64_t bytes, uint64_t *old_top, mf_diag *diag) {
    uint64_t top = memory->heap_top;
    if (bytes > heap_limit(memory->created->heap) - top)
        return mf_diag_set(diag, MF_HEAP_REFUSED, bytes, "the heap would pass its maximum");
    uint64_t heap_end = page_ceil(top + bytes);
    page_run run = page_run_of(memory->view.heap_end, heap_end - memory->view.heap_end);
    if (!perms_all(memory->table.perms, run, MF_PERM_NONE))
        return mf_diag_set(diag, MF_HEAP_REFUSED, bytes, "the heap would grow over a mapped page");
    if (run.first != run.end) {
        if (!memory->ops->clear(memory, run, MF_PERM_RW))
            return memory_exhausted(diag);
        perm_table_set(&memory->table, run, MF_PERM_RW);
        views_publish_heap_end(memory, heap_end);
    }
    memory->heap_top = top + bytes;
    *old_top = top;
    return MF_OK;
}
