/*
 * The copy backend: the whole guest space is reserved once, so the base never moves; the low part that may
 * hold bytes is committed as it grows, which costs nothing until a byte is written. Permissions are
 * checked by software alone. The page above the top is never committed.
 */
#include "memory_impl.h"
#include "os.h"

#include <string.h>

/* A multiple of the page size of every Linux host, and a divisor of 2^32. */
#define COMMIT_BYTES (UINT64_C(1) << 16)

/* Guest pages in a huge page of the host. The base is aligned, so guest blocks are host blocks. */
#define BLOCK_PAGES ((uint32_t)(OS_HUGE_PAGE_BYTES >> MF_PAGE_LOG2))

static uint64_t commit_ceil(uint64_t end) {
    return (end + COMMIT_BYTES - 1) / COMMIT_BYTES * COMMIT_BYTES;
}

static bool is_bounded(const mf_memory *memory) {
    return memory_max_bytes(memory) < MF_SPACE_BYTES;
}

static uint64_t reserved_bytes(const mf_memory *memory) {
    return is_bounded(memory) ? commit_ceil(memory_max_bytes(memory)) : MF_SPACE_BYTES + MF_PAGE_SIZE;
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

/* The same for the permissions that another memory has now. */
static void allow_huge_runs(mf_memory *memory, const mf_memory *from) {
    page_run run = {0, 0};
    for (; run.first < from->table.len_pages; run.first = run.end) {
        page_run rest = {run.first, from->table.len_pages};
        run.end = perms_find_below(from->table.perms, rest, MF_PERM_RO);
        if (run.first < run.end)
            allow_huge_pages(memory, run);
        else
            run.end = perms_find_change(from->table.perms, rest);
    }
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

static void write_image(mf_memory *memory) {
    for (size_t i = 0; i < memory_chunk_count(memory); i++) {
        const chunk *chunk = memory->image->chunks[i];
        memcpy(memory->view.base + chunk->start, chunk->bytes, chunk->count);
    }
}

/* The bounds policy lets accesses through up to the heap's maximum, so bytes exist that far. */
static bool copy_build(mf_memory *memory) {
    uint64_t end = memory_creation_end(memory);
    uint64_t heap_end = heap_limit(memory->created->heap);
    if (!extend(memory, heap_end > end ? heap_end : end))
        return false;
    allow_huge_windows(memory, memory->created);
    write_image(memory);
    return true;
}

static bool copy_clone(mf_memory *memory, const mf_memory *from) {
    if (!extend(memory, from->copy.committed_bytes))
        return false;
    allow_huge_runs(memory, from);
    os_copy_written(memory->view.base, from->view.base, from->copy.committed_bytes);
    return true;
}

static bool copy_rebuild(mf_memory *memory) {
    os_zero(memory->view.base, memory->copy.committed_bytes);
    write_image(memory);
    return true;
}

static bool copy_change(mf_memory *memory, page_run run, mf_perm perm, const void *bytes, size_t count) {
    if (!exist(memory, run, perm))
        return false;
    if (count > 0)
        memcpy(memory->view.base + page_bytes(run.first), bytes, count);
    return true;
}

static bool copy_clear(mf_memory *memory, page_run run, mf_perm perm) {
    if (!exist(memory, run, perm))
        return false;
    uint64_t start = page_bytes(run.first);
    uint64_t end = page_bytes(run.end) < memory->copy.committed_bytes ? page_bytes(run.end)
                                                                      : memory->copy.committed_bytes;
    if (start < end)
        os_zero(memory->view.base + start, end - start);
    return true;
}

static const backend_ops ops = {
    .open = copy_open,
    .close = copy_close,
    .build = copy_build,
    .clone = copy_clone,
    .rebuild = copy_rebuild,
    .change = copy_change,
    .clear = copy_clear,
};

const backend_ops *const backend_copy = &ops;
