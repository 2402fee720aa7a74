/* A memory for the next guest. */
#include "memory_reuse.h"
#include "live_layout.h"
#include "views.h"

/* ---- Clean ---------------------------------------------------------------------------------- */

/* Of the host's pages: the memory's own object and what its backend has, beside table and bytes. */
#define FIXED_PAGES 4

/* Pages of the image that are no mappings of it are the memory's own. */
static uint64_t own_image_pages(const mf_memory *memory) {
    uint64_t pages = 0;
    for (size_t i = 0; i < memory_image_run_count(memory); i++) {
        const image_run *run = &memory->image->runs[i];
        if (!run->is_shared || memory->has_lost_pages)
            pages += run->pages.end - run->pages.first;
    }
    return pages;
}

static uint64_t resident_bytes(const mf_memory *memory) {
    uint64_t table_pages = page_ceil(perm_table_len_pages(&memory->table)) / MF_PAGE_SIZE;
    return page_bytes(FIXED_PAGES + table_pages + memory->written_pages + own_image_pages(memory));
}

bool memory_renew(mf_memory *memory) {
    if (mf_memory_reset(memory, NULL) != MF_OK)
        return false;
    memory->kept_bytes = resident_bytes(memory);
    return true;
}

static const reuse_ops *ops_of(const mf_memory *memory) {
    return memory->config.backend == MF_BACKEND_COPY ? reuse_copy : reuse_x86_paged;
}

/* ---- Another beginning ---------------------------------------------------------------------- */

/* No page has a permission on the host or a byte; the table is told afterwards. */
static bool strip(mf_memory *memory) {
    for (size_t i = 0; i < memory->start->run_count; i++) {
        layout_run run = memory->start->runs[i];
        if (!memory->ops->clear(memory, (page_run){run.first, run.end}, MF_PERM_NONE))
            return false;
    }
    for (size_t i = 0; i < memory_image_run_count(memory); i++)
        if (!memory->ops->clear(memory, memory->image->runs[i].pages, MF_PERM_NONE))
            return false;
    return memory->backed.count == 0;
}

static void forget_creation(mf_memory *memory) {
    mf_layout_release(memory->created);
    mf_layout_release(memory->start);
    mf_layout_release(memory->current);
    mf_image_release(memory->image);
    memory->current = NULL;
    memory->has_lost_pages = false;
}

/* Without images all bytes are zero, and permissions are all that differs. */
static bool change_permissions(mf_memory *memory, const creation *to) {
    perm_table_clear_layout(&memory->table, memory->start);
    if (!ops_of(memory)->reuse(memory, to->start, to->heap))
        return false;
    forget_creation(memory);
    memory_keep_creation(memory, *to);
    return true;
}

static bool begin_anew(mf_memory *memory, const creation *to) {
    if (!strip(memory))
        return false;
    perm_table_clear_layout(&memory->table, memory->start);
    forget_creation(memory);
    memory_keep_creation(memory, *to);
    return memory->ops->build(memory);
}

bool memory_reuse(mf_memory *memory, const creation *to) {
    bool has_image = memory->image != NULL || to->image != NULL;
    if (memory_max_check(memory, creation_end(to), NULL) != MF_OK)
        return false;
    if (has_image ? !begin_anew(memory, to) : !change_permissions(memory, to))
        return false;
    memory_apply_start(memory, every_page);
    memory_apply_heap(memory);
    memory->current = mf_layout_retain(memory->created);
    views_publish_stamp(memory, MF_LAYOUT_STAMP(memory->created->fingerprint, memory->config.backend));
    return true;
}

/* ---- The state of another memory ------------------------------------------------------------ */

static bool change_pages(mf_memory *memory, page_run run, mf_perm perm) {
    if (run_is_empty(run) || perms_all(memory->table.perms, run, perm))
        return true;
    if (!memory->ops->change(memory, run, perm, NULL, 0))
        return false;
    perm_table_set(&memory->table, run, perm);
    return true;
}

/* Pages of creation that `from` has not any more. */
static bool follow_losses(mf_memory *memory, const mf_memory *from) {
    for (size_t i = 0; i < from->start->run_count; i++) {
        layout_run run = from->start->runs[i];
        page_run rest = run_common((page_run){run.first, run.end}, from->changed);
        while (!run_is_empty(rest)) {
            page_run part = perms_next_run(from->table.perms, &rest);
            bool is_lost = perms_at(from->table.perms, part.first) == MF_PERM_NONE;
            if (is_lost && !change_pages(memory, part, MF_PERM_NONE))
                return false;
        }
    }
    return true;
}

/* Pages that it has, of those that may be others than at creation. */
static bool follow_permissions(mf_memory *memory, const mf_memory *from) {
    page_run other = run_around(from->changed, memory_grown_heap(from));
    live_walk walk = live_walk_begin(from);
    layout_run run;
    if (run_is_empty(other))
        return true;
    if (!follow_losses(memory, from))
        return false;
    while (live_walk_next(&walk, &run))
        if (!change_pages(memory, run_common((page_run){run.first, run.end}, other), (mf_perm)run.perm))
            return false;
    return true;
}

bool memory_follow(mf_memory *memory, mf_memory *from) {
    if (!follow_permissions(memory, from) || !ops_of(memory)->follow(memory, from))
        return false;
    memory->changed = from->changed;
    memory->heap_top = from->heap_top;
    memory->grown_from = from->grown_from;
    memory->grown_to = from->grown_to;
    views_publish_heap_end(memory, from->view.heap_end);
    mf_layout_release(memory->current);
    memory->current = mf_layout_retain(from->current);
    views_publish_stamp(memory, from->view.layout_stamp);
    return true;
}
