/*
 * The copy backend: the whole guest space is reserved once, so the base never moves; the low part that may
 * hold bytes is committed as it grows, which costs nothing until a byte is written. Permissions are
 * checked by software alone. The page above the top is never committed.
 */
#include "cloning.h"
#include "live_layout.h"
#include "memory_impl.h"
#include "os.h"
#include "rewrite.h"
#include "sharing.h"

#include <string.h>

/* A multiple of the page size of every Linux host, and a divisor of 2^32. */
#define COMMIT_BYTES (UINT64_C(1) << 16)
#define COMMIT_PAGES ((uint32_t)(COMMIT_BYTES >> MF_PAGE_LOG2))

/* Guest pages in a huge page of the host. The base is aligned, so guest blocks are host blocks. */
#define BLOCK_PAGES ((uint32_t)(OS_HUGE_PAGE_BYTES >> MF_PAGE_LOG2))

static uint64_t commit_ceil(uint64_t end) {
    return (end + COMMIT_BYTES - 1) / COMMIT_BYTES * COMMIT_BYTES;
}

static bool is_bounded(const mf_memory *memory) {
    return memory_max_bytes(memory) < MF_SPACE_BYTES;
}

/*
 * The page above the top, which is never accessible, in whole huge pages: the kernel lays those out one after
 * the other, aligned, at the first asking.
 */
static uint64_t reserved_bytes(const mf_memory *memory) {
    return is_bounded(memory) ? commit_ceil(memory_max_bytes(memory)) : MF_SPACE_BYTES + OS_HUGE_PAGE_BYTES;
}

/* Where bytes may be. */
static page_run committed_pages(const mf_memory *memory) {
    return page_run_of(0, memory->copy.committed_bytes);
}

static bool extend(mf_memory *memory, uint64_t end) {
    uint64_t wanted_bytes = commit_ceil(end);
    if (wanted_bytes <= memory->copy.committed_bytes)
        return true;
    if (!os_commit(memory->view.base + memory->copy.committed_bytes,
                   wanted_bytes - memory->copy.committed_bytes))
        return false;
    memory->copy.committed_bytes = wanted_bytes;
    return true;
}

/*
 * A memory with a bound is one mapping, which the kernel makes one with those of its neighbours: all of it
 * can be written, and there is no page behind it that can not. Without a bound the rest of the space costs a
 * second one.
 */
static mf_status copy_open(mf_memory *memory, mf_diag *diag) {
    uint64_t bytes = reserved_bytes(memory);
    memory->view.base = os_reserve(bytes, bytes < OS_HUGE_PAGE_BYTES ? 0 : OS_HUGE_PAGE_BYTES);
    bool done = memory->view.base != NULL && (!is_bounded(memory) || extend(memory, bytes));
    return done ? MF_OK : memory_exhausted(diag);
}

static void copy_close(mf_memory *memory) {
    os_release(memory->view.base, reserved_bytes(memory));
}

/* ---- Huge pages ---------------------------------------------------------------------------- */

/* Whether the pages of a block outside `run` can be accessed. */
static bool block_is_full(const unsigned char *perms, uint32_t first, page_run run) {
    uint32_t end = first + BLOCK_PAGES;
    page_run before = {first, run.first > first ? run.first : first};
    page_run after = {run.end < end ? run.end : end, end};
    return perms_find_below(perms, before, MF_PERM_RO) == before.end &&
           perms_find_below(perms, after, MF_PERM_RO) == end;
}

/*
 * Advises the blocks that `run` touches and in which every page can be accessed once `run` can. Blocks with
 * holes stay as they are: one byte in each would cost 2 MiB.
 */
static void allow_huge_pages(mf_memory *memory, page_run run) {
    uint32_t first = run.first / BLOCK_PAGES * BLOCK_PAGES;
    uint32_t end = (run.end + BLOCK_PAGES - 1) / BLOCK_PAGES * BLOCK_PAGES;
    if (memory->config.huge_pages == MF_HUGE_PAGES_NEVER)
        return;
    if (!block_is_full(memory->table.perms, first, run))
        first += BLOCK_PAGES;
    if (first < end && !block_is_full(memory->table.perms, end - BLOCK_PAGES, run))
        end -= BLOCK_PAGES;
    if (first < end)
        os_allow_huge_pages(memory->view.base + page_bytes(first), page_bytes(end - first));
}

static void allow_huge_windows(mf_memory *memory, const mf_layout *layout) {
    for (size_t i = 0; i < layout->window_count[MF_LOAD]; i++)
        allow_huge_pages(memory, layout->windows[MF_LOAD][i]);
}

/* The same for the permissions that another memory has now, as this one's table says already. */
static void allow_huge_runs(mf_memory *memory, const mf_memory *from) {
    live_walk walk = live_walk_begin(from);
    layout_run run;
    while (live_walk_next(&walk, &run))
        allow_huge_pages(memory, (page_run){run.first, run.end});
}

/* ---- Operations ---------------------------------------------------------------------------- */

static bool exist(mf_memory *memory, page_run run, mf_perm perm) {
    if (perm == MF_PERM_NONE)
        return true;
    if (!extend(memory, page_bytes(run.end)))
        return false;
    if (perms_find_below(memory->table.perms, run, MF_PERM_RO) < run.end)
        allow_huge_pages(memory, run);
    return true;
}

static bool write_unshared(void *context, page_run part) {
    mf_memory *memory = context;
    image_restore(memory->image, memory->view.base, part, false);
    return true;
}

/* The bounds policy lets accesses through up to the heap's maximum, so bytes exist that far. */
static bool copy_build(mf_memory *memory) {
    uint64_t end = memory_creation_end(memory);
    uint64_t heap_end = heap_limit(memory->heap);
    if (!extend(memory, heap_end > end ? heap_end : end))
        return false;
    sharing_build(memory);
    allow_huge_windows(memory, memory->start);
    sharing_visit_unshared(memory, committed_pages(memory), write_unshared, memory);
    return true;
}

static bool copy_visit_written(mf_memory *memory, os_visit *visit, void *context) {
    sharing_written to = {.memory = memory, .visit = visit, .context = context};
    return os_visit_written(memory->view.base, memory->copy.committed_bytes, sharing_visit_written,
                            sharing_zero_visit(memory), &to);
}

static bool copy_read(mf_memory *memory, page_run run, unsigned char *to) {
    memcpy(to, memory->view.base + page_bytes(run.first), page_bytes(run.end - run.first));
    return true;
}

static void copy_pages(const clone_job *job, page_run run, os_copy_mode mode) {
    uint64_t start = page_bytes(run.first);
    os_copy(job->to->view.base + start, job->from->view.base + start, page_bytes(run.end) - start, mode);
}

static bool clone_part(void *context, page_run part) {
    clone_bytes(context, part);
    return true;
}

static bool copy_clone(mf_memory *memory, mf_memory *from) {
    run_list dense = {0};
    clone_job job = {.to = memory, .from = from, .copy = copy_pages, .dense = &dense};
    if (!extend(memory, from->copy.committed_bytes))
        return false;
    sharing_clone(memory, from);
    bool is_done = clone_visit(&job, clone_part);
    allow_huge_runs(memory, from);
    clone_rest(&job);
    return is_done;
}

static bool copy_map_image(mf_memory *memory, page_run run, mf_perm perm, const os_shared *shared,
                           size_t offset) {
    (void)perm;
    return os_shared_map(shared, offset, memory->view.base + page_bytes(run.first),
                         page_bytes(run.end - run.first), MF_PERM_RW);
}

static bool copy_map_zero(mf_memory *memory, page_run run, mf_perm perm) {
    (void)perm;
    return os_map_zero(memory->view.base + page_bytes(run.first), page_bytes(run.end - run.first),
                       MF_PERM_RW);
}

/* ---- Reset --------------------------------------------------------------------------------- */

static bool restore_written(void *context, size_t offset, size_t bytes, bool is_certain) {
    return rewrite_add(context, page_run_of(offset, bytes), is_certain);
}

static bool restore_part(void *context, page_run part) {
    const mf_memory *memory = context;
    image_restore(memory->image, memory->view.base, part, true);
    return true;
}

/* Begins with a block that every host can drop; what of it was overwritten before has the same bytes after.
 */
static page_run droppable(uint32_t first, page_run pages) {
    const uint32_t block_pages = OS_SHARED_BYTES >> MF_PAGE_LOG2;
    return (page_run){first / block_pages * block_pages, pages.end};
}

static void drop_rest(mf_memory *memory, page_run rest) {
    rewrite by_hand = {.memory = memory};
    if (!os_drop(memory->view.base + page_bytes(rest.first), page_bytes(rest.end - rest.first)))
        memory->ops->visit_written(memory, restore_written, &by_hand);
    rewrite_finish(&by_hand);
    sharing_visit_unshared(memory, rest, restore_part, memory);
}

/* Any page may have been written, by accessors of the bounds policy. */
static bool copy_rebuild(mf_memory *memory) {
    page_run pages = committed_pages(memory);
    if (pages.end <= SMALL_PAGES_MAX && !memory->has_lost_pages) {
        memory_restore_small(memory, &pages, 1);
        return true;
    }
    rewrite r = {.memory = memory, .has_limit = true};
    if (memory->has_lost_pages)
        sharing_return(memory);
    memory->ops->visit_written(memory, restore_written, &r);
    rewrite_finish(&r);
    memory->written_pages = r.pages;
    if (r.has_stopped)
        drop_rest(memory, droppable(r.stopped, pages));
    if (memory->has_lost_pages) {
        sharing_visit_unshared(memory, pages, restore_part, memory);
        sharing_visit_foreign(memory, restore_part, memory);
        memory->has_lost_pages = sharing_has_foreign(memory);
    }
    return true;
}

/* ---- Changes ------------------------------------------------------------------------------- */

static bool copy_change(mf_memory *memory, page_run run, mf_perm perm, const void *bytes, size_t count) {
    if (!exist(memory, run, perm))
        return false;
    if (count > 0)
        memcpy(memory->view.base + page_bytes(run.first), bytes, count);
    return true;
}

/*
 * Of a mapping of an image only blocks that every host can map are taken back; pages beside them, and those
 * that the host keeps, are overwritten.
 */
static void zero_backed(mf_memory *memory, page_run run) {
    page_run blocks = {(run.first + COMMIT_PAGES - 1) / COMMIT_PAGES * COMMIT_PAGES,
                       run.end / COMMIT_PAGES * COMMIT_PAGES};
    bool is_mapped = !run_is_empty(blocks) && backed_reserve(&memory->backed, 1) &&
                     copy_map_zero(memory, blocks, MF_PERM_RW);
    if (is_mapped)
        backed_remove(&memory->backed, blocks);
    else
        blocks = (page_run){run.end, run.end};
    os_overwrite(memory->view.base + page_bytes(run.first), page_bytes(blocks.first - run.first));
    os_overwrite(memory->view.base + page_bytes(blocks.end), page_bytes(run.end - blocks.end));
}

static void zero_pages(mf_memory *memory, page_run run) {
    memory->has_lost_pages |= sharing_has_image(memory, run);
    while (!run_is_empty(run)) {
        size_t at = backed_find(&memory->backed, run.first);
        page_run backed = at < memory->backed.count ? run_common(memory->backed.runs[at].pages, run)
                                                    : (page_run){run.end, run.end};
        if (run_is_empty(backed))
            backed = (page_run){run.end, run.end};
        if (run.first < backed.first)
            os_zero(memory->view.base + page_bytes(run.first), page_bytes(backed.first - run.first));
        if (!run_is_empty(backed))
            zero_backed(memory, backed);
        run.first = backed.end;
    }
}

static bool copy_clear(mf_memory *memory, page_run run, mf_perm perm) {
    if (!exist(memory, run, perm))
        return false;
    page_run part = run_common(run, committed_pages(memory));
    if (!run_is_empty(part))
        zero_pages(memory, part);
    return true;
}

static const backend_ops ops = {
    .open = copy_open,
    .close = copy_close,
    .build = copy_build,
    .clone = copy_clone,
    .rebuild = copy_rebuild,
    .map_image = copy_map_image,
    .map_zero = copy_map_zero,
    .visit_written = copy_visit_written,
    .read = copy_read,
    .change = copy_change,
    .clear = copy_clear,
};

const backend_ops *const backend_copy = &ops;

/* ---- For pools ------------------------------------------------------------------------------ */

static bool copy_reuse(mf_memory *memory, const mf_layout *start, mf_heap heap) {
    uint64_t end = mf_layout_len(start);
    if (!extend(memory, heap_limit(heap) > end ? heap_limit(heap) : end))
        return false;
    allow_huge_windows(memory, start);
    return true;
}

/* Of a small source all pages that may have bytes are looked at, which takes no system call. */
static bool copy_follow(mf_memory *memory, mf_memory *from) {
    clone_job job = {.to = memory, .from = from, .copy = copy_pages};
    page_run pages = committed_pages(from);
    if (!extend(memory, from->copy.committed_bytes))
        return false;
    if (pages.end > SMALL_PAGES_MAX)
        return follow_visit(&job, clone_part, from->has_lost_pages);
    clone_bytes(&job, pages);
    return true;
}

static const reuse_ops for_pools = {.reuse = copy_reuse, .follow = copy_follow};

const reuse_ops *const reuse_copy = &for_pools;
