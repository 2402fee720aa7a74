/*
 * The paged backend: guest pages are pages of the CPU, so what an access may touch is what the host has
 * mapped. The window never moves, and the host's permissions always equal the table's, except inside the
 * functions below. Bytes are private anonymous memory and stay in a page whatever its permission is.
 *
 * The kernel may refuse any change of permissions, even one that restricts them, because it needs room for
 * one more mapping. So whatever can be refused comes first and is taken back if it is; what follows only
 * returns to permissions that the kernel has granted a moment before, and insists.
 */
#include "memory_impl.h"
#include "os.h"
#include "panic_impl.h"

#include "classify.h"
#include "x86_paged/map.h"

#include <memfold/fault_handler.h>

#include <string.h>

/*
 * Reset overwrites the read-write pages of a memory that has at most so many, and gives back those of a
 * larger one. Measured on a Zen 4 virtual machine, in microseconds, for pages that are all in use again
 * afterwards and for one in eight in use:
 *
 *     pages              16     64    256   1024    4096
 *     overwrite all     0.8    3.9     25     88     580
 *     drop, all used     38    132    537   2310   16600
 *     drop, 1/8 used      5     17     66    267    1290
 *
 * Overwriting wins everywhere if one page in 22 is used; but it also keeps the memory and touches pages that
 * the guest never has, at most 1 MiB of them.
 */
#define OVERWRITE_MAX_PAGES 256

/* About 70 ms. Only other threads that take mappings at the same time can make it come to that. */
#define INSIST_ATTEMPTS 1000

/* ---- Permissions of the host --------------------------------------------------------------- */

static bool protect(const mf_memory *memory, page_run run, mf_perm perm) {
    return run.first == run.end || map_protect(memory->map, run, perm);
}

/*
 * For permissions that the pages have just had, or still have, and may not even be set again: to go on
 * without would break the contract silently.
 */
static bool insist(const mf_memory *memory, page_run run, mf_perm perm) {
    for (unsigned attempt = 0; !protect(memory, run, perm); attempt++) {
        if (attempt == 0 && map_has(memory->map, run, perm))
            return true;
        if (attempt == INSIST_ATTEMPTS) {
            panic_values("the kernel does not give back the permissions that guest pages had: ",
                         page_bytes(run.first), " to ", page_bytes(run.end), "");
        }
        os_wait(attempt);
    }
    return true;
}

/* The next pages of `rest` with one permission in the table; `rest` begins behind them. */
static page_run take_part(const mf_memory *memory, page_run *rest) {
    page_run part = {rest->first, perms_find_change(memory->perms, *rest)};
    rest->first = part.end;
    return part;
}

/* The host's permissions are the table's again. */
static void put_back(const mf_memory *memory, page_run run) {
    while (run.first < run.end) {
        page_run part = take_part(memory, &run);
        insist(memory, part, (mf_perm)memory->perms[part.first]);
    }
}

/* The pages have `perm` on the host, or false and all is as the table says. */
static bool set_perm(const mf_memory *memory, page_run run, mf_perm perm) {
    if (protect(memory, run, perm))
        return true;
    put_back(memory, run);
    return false;
}

static page_run host_pages(const mf_memory *memory) {
    return page_run_of(0, memory->host_bytes);
}

static void extend(mf_memory *memory, uint64_t end) {
    memory->host_bytes = end > memory->host_bytes ? end : memory->host_bytes;
}

/* ---- Life ---------------------------------------------------------------------------------- */

static mf_status paged_open(mf_memory *memory, mf_diag *diag) {
    mf_status status = mf_fault_handler_install(diag);
    if (status != MF_OK)
        return status;
    memory->map = map_open(memory->config.huge_pages == MF_HUGE_PAGES_ALLOWED);
    if (memory->map == NULL) {
        mf_fault_handler_uninstall();
        return memory_exhausted(diag);
    }
    memory->view.base = map_base(memory->map);
    return MF_OK;
}

static void paged_close(mf_memory *memory) {
    if (memory->map != NULL) {
        map_close(memory->map);
        mf_fault_handler_uninstall();
    }
}

/* ---- Layout and image of creation ---------------------------------------------------------- */

/* A walk over `rest` in parts that have one permission in the layout of creation. */
typedef struct created_walk {
    const mf_layout *layout;
    size_t next; /* the first run that ends above rest.first */
    page_run rest;
} created_walk;

static created_walk walk_created(const mf_memory *memory, page_run pages) {
    const mf_layout *layout = memory->created;
    size_t low = 0;
    size_t high = layout->run_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (layout->runs[middle].end > pages.first)
            high = middle;
        else
            low = middle + 1;
    }
    return (created_walk){layout, low, pages};
}

static bool next_created(created_walk *walk, page_run *part, mf_perm *perm) {
    if (walk->rest.first >= walk->rest.end)
        return false;
    const layout_run *run = walk->next < walk->layout->run_count ? &walk->layout->runs[walk->next] : NULL;
    bool inside = run != NULL && run->first <= walk->rest.first;
    uint32_t end = inside ? run->end : run != NULL ? run->first : walk->rest.end;
    *part = (page_run){walk->rest.first, end < walk->rest.end ? end : walk->rest.end};
    *perm = inside ? (mf_perm)run->perm : MF_PERM_NONE;
    walk->next += inside;
    walk->rest.first = part->end;
    return true;
}

static page_run chunk_pages(const chunk *chunk) {
    return (page_run){(uint32_t)(chunk->start >> MF_PAGE_LOG2),
                      (uint32_t)(page_ceil(chunk->start + chunk->count) >> MF_PAGE_LOG2)};
}

/* Writes the bytes that `chunk` has in the pages of `part`, which are writable. */
static void write_part(const mf_memory *memory, const chunk *chunk, page_run part) {
    uint64_t part_start = page_bytes(part.first);
    uint64_t part_end = page_bytes(part.end);
    uint64_t chunk_end = chunk->start + chunk->count;
    uint64_t start = chunk->start > part_start ? chunk->start : part_start;
    uint64_t end = chunk_end < part_end ? chunk_end : part_end;
    memcpy(memory->view.base + start, chunk->bytes + (start - chunk->start), end - start);
}

/* What is done to one part of a chunk, whose pages have `perm` in the layout of creation. */
typedef bool image_step(const mf_memory *memory, const chunk *chunk, page_run part, mf_perm perm);

static bool each_image_part(const mf_memory *memory, image_step *step) {
    for (size_t i = 0; i < memory_chunk_count(memory); i++) {
        const chunk *chunk = memory->image->chunks[i];
        created_walk walk = walk_created(memory, chunk_pages(chunk));
        page_run part;
        mf_perm perm;
        while (next_created(&walk, &part, &perm))
            if (!step(memory, chunk, part, perm))
                return false;
    }
    return true;
}

static bool write_step(const mf_memory *memory, const chunk *chunk, page_run part, mf_perm perm) {
    if (perm == MF_PERM_RW) {
        write_part(memory, chunk, part);
        return true;
    }
    if (!protect(memory, part, MF_PERM_RW))
        return false;
    write_part(memory, chunk, part);
    return protect(memory, part, perm);
}

/*
 * Whether the kernel lets such a part be written, without writing. A part without permission is left
 * writable: its pages might be given back otherwise, and then not be there any more for the bytes.
 */
static bool try_step(const mf_memory *memory, const chunk *chunk, page_run part, mf_perm perm) {
    (void)chunk;
    if (perm == MF_PERM_RW)
        return true;
    return protect(memory, part, MF_PERM_RW) && (perm == MF_PERM_NONE || protect(memory, part, perm));
}

static bool insisting_write_step(const mf_memory *memory, const chunk *chunk, page_run part, mf_perm perm) {
    if (perm == MF_PERM_RW) {
        write_part(memory, chunk, part);
        return true;
    }
    insist(memory, part, MF_PERM_RW);
    write_part(memory, chunk, part);
    return insist(memory, part, perm);
}

/* Writing to such a part opens it for a moment. */
static bool reserve_step(const mf_memory *memory, const chunk *chunk, page_run part, mf_perm perm) {
    (void)chunk;
    return perm == MF_PERM_RW || map_reserve(memory->map, part);
}

/* Of pages that the guest could not write the bytes are still there. */
static bool rewrite_step(const mf_memory *memory, const chunk *chunk, page_run part, mf_perm perm) {
    if (perm == MF_PERM_RW)
        write_part(memory, chunk, part);
    return true;
}

static bool paged_build(mf_memory *memory) {
    const mf_layout *layout = memory->created;
    for (size_t i = 0; i < layout->run_count; i++) {
        const layout_run *run = &layout->runs[i];
        if (!protect(memory, (page_run){run->first, run->end}, (mf_perm)run->perm))
            return false;
    }
    extend(memory, memory_creation_end(memory));
    memory->only_grown = true;
    return each_image_part(memory, write_step);
}

/* ---- Reset --------------------------------------------------------------------------------- */

static bool set_created_perms(const mf_memory *memory) {
    created_walk walk = walk_created(memory, host_pages(memory));
    page_run part;
    mf_perm perm;
    while (next_created(&walk, &part, &perm))
        if (!perms_all(memory->perms, part, perm) && !protect(memory, part, perm))
            return false;
    return true;
}

/* The pages are read-write, on the host too. */
static void zero_writable(const mf_memory *memory, page_run run, bool overwrites) {
    if (overwrites || !map_drop(memory->map, run))
        memset(memory->view.base + page_bytes(run.first), 0, page_bytes(run.end - run.first));
}

static void zero_created_writable(const mf_memory *memory) {
    const mf_layout *layout = memory->created;
    uint32_t pages = 0;
    for (size_t i = 0; i < layout->window_count[MF_STORE]; i++)
        pages += layout->windows[MF_STORE][i].end - layout->windows[MF_STORE][i].first;
    for (size_t i = 0; i < layout->window_count[MF_STORE]; i++)
        zero_writable(memory, layout->windows[MF_STORE][i], pages <= OVERWRITE_MAX_PAGES);
}

/* Only the heap has other permissions than at creation, and only read-write pages other bytes. */
static bool rebuild_grown(const mf_memory *memory) {
    uint64_t heap_base = memory->created->heap.base;
    page_run heap = page_run_of(heap_base, memory->view.heap_end - heap_base);
    if (!set_perm(memory, heap, MF_PERM_NONE))
        return false;
    if (!map_drop(memory->map, heap)) {
        put_back(memory, heap);
        return false;
    }
    zero_created_writable(memory);
    return each_image_part(memory, rewrite_step);
}

static bool reserve_created(const mf_memory *memory) {
    created_walk walk = walk_created(memory, host_pages(memory));
    page_run part;
    mf_perm perm;
    while (next_created(&walk, &part, &perm))
        if (perm != MF_PERM_NONE && !map_reserve(memory->map, part))
            return false;
    return each_image_part(memory, reserve_step);
}

static bool paged_rebuild(mf_memory *memory) {
    if (memory->only_grown)
        return rebuild_grown(memory);
    page_run all = host_pages(memory);
    if (!reserve_created(memory)) {
        map_unreserve(memory->map, all);
        return false;
    }
    if (!set_created_perms(memory) || !each_image_part(memory, try_step) || !map_drop(memory->map, all)) {
        put_back(memory, all);
        map_unreserve(memory->map, all);
        return false;
    }
    memory->only_grown = true;
    return each_image_part(memory, insisting_write_step);
}

/* ---- Clone --------------------------------------------------------------------------------- */

typedef struct clone_job {
    const mf_memory *to;
    const mf_memory *from;
} clone_job;

/* Both memories may be accessed for a moment, to copy what lies in pages without permission. */
static bool copy_hidden_part(const clone_job *job, page_run part) {
    if (!set_perm(job->from, part, MF_PERM_RO))
        return false;
    bool writable = protect(job->to, part, MF_PERM_RW);
    if (writable)
        map_copy(job->to->map, job->from->map, part);
    put_back(job->from, part);
    return writable && protect(job->to, part, MF_PERM_NONE);
}

static bool copy_written(void *context, size_t offset, size_t bytes) {
    const clone_job *job = context;
    page_run rest = page_run_of(offset, bytes);
    while (rest.first < rest.end) {
        page_run part = take_part(job->from, &rest);
        if (job->from->perms[part.first] != MF_PERM_NONE)
            map_copy(job->to->map, job->from->map, part);
        else if (!copy_hidden_part(job, part))
            return false;
    }
    return true;
}

/* The pages that `from` lets be accessed are writable in `memory`. */
static bool open_accessible(const mf_memory *memory, const mf_memory *from) {
    page_run rest = {0, from->len_pages};
    while (rest.first < rest.end) {
        page_run open = {rest.first, perms_find_below(from->perms, rest, MF_PERM_RO)};
        if (!protect(memory, open, MF_PERM_RW))
            return false;
        rest.first = open.end;
        if (rest.first < rest.end)
            take_part(from, &rest);
    }
    return true;
}

static bool close_read_only(const mf_memory *memory, const mf_memory *from) {
    page_run rest = {0, from->len_pages};
    while (rest.first < rest.end) {
        page_run part = take_part(from, &rest);
        if (from->perms[part.first] == MF_PERM_RO && !protect(memory, part, MF_PERM_RO))
            return false;
    }
    return true;
}

static bool paged_copy(mf_memory *memory, const mf_memory *from) {
    clone_job job = {memory, from};
    extend(memory, from->host_bytes);
    memory->only_grown = from->only_grown;
    return open_accessible(memory, from) &&
           map_visit_written(from->map, from->host_bytes, copy_written, &job) &&
           close_read_only(memory, from);
}

/* ---- Live changes -------------------------------------------------------------------------- */

static bool paged_change(mf_memory *memory, page_run run, mf_perm perm, const void *bytes, size_t count) {
    bool opens = count > 0 && perm != MF_PERM_RW;
    if (!set_perm(memory, run, perm) || (opens && !set_perm(memory, run, MF_PERM_RW)))
        return false;
    if (count > 0)
        memcpy(memory->view.base + page_bytes(run.first), bytes, count);
    if (opens)
        insist(memory, run, perm);
    extend(memory, page_bytes(run.end));
    memory->only_grown = false;
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

/* Pages that become read-write here are new pages of the heap. */
static bool paged_clear(mf_memory *memory, page_run run, mf_perm perm) {
    if (!set_perm(memory, run, perm))
        return false;
    if (perm == MF_PERM_RW) {
        zero_writable(memory, run, false);
    } else if (!map_drop(memory->map, run)) {
        put_back(memory, run);
        return false;
    }
    extend(memory, page_bytes(run.end));
    memory->only_grown = memory->only_grown && perm == MF_PERM_RW && !image_reaches(memory, run);
    return true;
}

static const backend_ops ops = {
    .open = paged_open,
    .close = paged_close,
    .build = paged_build,
    .copy = paged_copy,
    .rebuild = paged_rebuild,
    .change = paged_change,
    .clear = paged_clear,
};

const backend_ops *const backend_x86_paged = &ops;
