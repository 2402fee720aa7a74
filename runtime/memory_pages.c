/* Changes of a memory's pages and heap. */
#include "live_layout.h"
#include "memory_impl.h"
#include "os.h"
#include "views.h"

/* Where the highest pages go, a known layout says where the table ends then. */
static void set_live_perms(mf_memory *memory, page_run run, mf_perm perm) {
    if (perms_all(memory->table.perms, run, perm))
        return;
    if (perm == MF_PERM_NONE && run.end >= memory->table.len_pages && memory->current != NULL)
        perm_table_cut(&memory->table, run, live_layout_len_below(memory, run.first));
    else
        perm_table_set(&memory->table, run, perm);
    memory->changed = run_around(memory->changed, run);
    live_layout_drop(memory);
}

/* The pages of a range that map_region or protect has accepted, and the first bytes in them. */
static mf_status change(mf_memory *memory, page_run run, mf_perm perm, const void *bytes, size_t count,
                        mf_diag *diag) {
    if (count == 0 && perms_all(memory->table.perms, run, perm))
        return MF_OK;
    mf_status status = perm == MF_PERM_NONE ? MF_OK : memory_max_check(memory, page_bytes(run.end), diag);
    if (status != MF_OK)
        return status;
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

/* ---- The heap ------------------------------------------------------------------------------ */

static void lock(mf_memory *memory) {
    for (unsigned attempt = 0; atomic_exchange_explicit(&memory->sbrk_lock, 1, memory_order_acquire) != 0;
         attempt++) {
        os_wait(attempt);
    }
}

static void unlock(mf_memory *memory) {
    atomic_store_explicit(&memory->sbrk_lock, 0, memory_order_release);
}

/*
 * The pages are the heap's. Others access the memory meanwhile, so each step is published behind what it
 * promises: the bytes are there and zero, then permissions say so, page by page, and then the end does. An
 * access that is checked by permissions, or by the MMU, sees the end at some page between old and new; one
 * that compares with the end sees the old or the new one.
 *
 * The new pages are cleared even though they are NONE: protect may have left bytes there, and so may a
 * store under the bounds policy.
 */
static bool add_heap_pages(mf_memory *memory, page_run run) {
    if (!memory->ops->clear(memory, run, MF_PERM_RW))
        return false;
    __atomic_store_n(&memory->grown_from, page_bytes(run.first), __ATOMIC_RELEASE);
    __atomic_store_n(&memory->grown_to, page_bytes(run.end), __ATOMIC_RELEASE);
    perm_table_grow(&memory->table, run);
    views_publish_heap_end(memory, page_bytes(run.end));
    return true;
}

/* With the lock held. */
static mf_status grow_heap(mf_memory *memory, uint64_t bytes, uint64_t *old_top, mf_diag *diag) {
    uint64_t top = memory->heap_top;
    if (bytes > heap_limit(memory->heap) - top)
        return mf_diag_set(diag, MF_HEAP_REFUSED, bytes, "the heap would pass its maximum");
    uint64_t heap_end = page_ceil(top + bytes);
    page_run run = page_run_of(memory->view.heap_end, heap_end - memory->view.heap_end);
    if (!perms_all(memory->table.perms, run, MF_PERM_NONE))
        return mf_diag_set(diag, MF_HEAP_REFUSED, bytes, "the heap would grow over a mapped page");
    if (run.first != run.end && !add_heap_pages(memory, run))
        return memory_exhausted(diag);
    __atomic_store_n(&memory->heap_top, top + bytes, __ATOMIC_RELEASE);
    *old_top = top;
    return MF_OK;
}

mf_status mf_memory_sbrk(mf_memory *memory, uint64_t bytes, uint64_t *old_top, mf_diag *diag) {
    lock(memory);
    mf_status status = grow_heap(memory, bytes, old_top, diag);
    unlock(memory);
    return status;
}
