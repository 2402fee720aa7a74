/*
 * Creation, reset and clone without an operating system. Bytes are written by the direct map, so no page is
 * opened for them, nothing faults, and no other address space is in the way.
 *
 * A frame of a page's own that is not dirty has the bytes of creation, or else `touched` is not empty. So a
 * memory that has only stored and grown costs its dirty pages: the others are as they were, or as they are in
 * the image. Otherwise reset goes through all pages, in passes, because it leaves everything as it was if
 * it fails: reserve, change permissions, and then write, which cannot fail.
 */
#include "layout_walk.h"
#include "live_layout.h"
#include "x86_paged/bare/image_frames.h"
#include "x86_paged/bare/map_impl.h"
#include "x86_paged/host_pages.h"
#include "x86_paged/operations.h"

#include <string.h>

/* Reset leaves a memory with frames at touch at most so many frames of its own, 1 MiB; one with more has
 * none. */
#define KEPT_FRAMES_MAX 256

static bool is_at_touch(const mf_memory *memory) {
    return memory->paged.map->tables.at_touch;
}

static page_run pages_of_host(const mf_memory *memory) {
    return page_run_of(0, memory->paged.end_bytes);
}

/* ---- One page ------------------------------------------------------------------------------ */

static uint64_t address_of(const mf_memory *memory, uint32_t page) {
    return memory->paged.map->place.base + page_bytes(page);
}

static uint32_t page_at(const mf_memory *memory, uint64_t address) {
    return (uint32_t)((address - memory->paged.map->place.base) >> MF_PAGE_LOG2);
}

/* Frames are made at creation, so they are there. */
static uint64_t shared_frame(const mf_memory *memory, uint32_t page) {
    return memory->image == NULL ? NO_FRAME : image_frames_find(memory->image, page);
}

static void fill_as_created(void *context, uint64_t address, unsigned char *bytes) {
    const mf_memory *memory = context;
    image_fill_page(memory->image, page_at(memory, address), bytes);
}

static uint64_t share_as_created(void *context, uint64_t address) {
    const mf_memory *memory = context;
    return shared_frame(memory, page_at(memory, address));
}

/* The page has a frame of its own. */
static void write_page(const mf_memory *memory, uint32_t page, const unsigned char *bytes) {
    map_lock(memory->paged.map);
    page_tables_write(&memory->paged.map->tables, address_of(memory, page), bytes, MF_PAGE_SIZE);
    map_unlock(memory->paged.map);
}

/* ---- The image ----------------------------------------------------------------------------- */

/* What a pass does to a run of pages that hold bytes of the image. */
typedef bool image_step(const mf_memory *memory, page_run pages);

static bool pass_image(const mf_memory *memory, image_step *step) {
    page_run pages;
    for (uint32_t page = 0; image_next_pages(memory->image, page, &pages); page = pages.end)
        if (!step(memory, pages))
            return false;
    return true;
}

/* Frames of their own, or places where frames of the image can be shared. */
static bool reserve_pages(const mf_memory *memory, page_run pages) {
    map *map = memory->paged.map;
    map_lock(map);
    bool is_done = is_at_touch(memory) ? page_tables_reserve_small(&map->tables, map_run(map, pages))
                                       : page_tables_populate(&map->tables, map_run(map, pages));
    map_unlock(map);
    return is_done;
}

static bool has_image_frames(const mf_memory *memory) {
    return memory->image == NULL || !is_at_touch(memory) || image_frames_make(memory->image);
}

static page_source as_created(const mf_memory *memory) {
    return (page_source){
        .context = (void *)(uintptr_t)memory,
        .fill = fill_as_created,
        .share = is_at_touch(memory) ? share_as_created : NULL,
    };
}

/*
 * The pages have the bytes of creation: all that have frames of their own, or those whose frames are dirty.
 * Afterwards none is.
 */
static void restore(const mf_memory *memory, page_run pages, bool only_dirty) {
    map *map = memory->paged.map;
    page_source source = as_created(memory);
    map_lock(map);
    page_tables_restore(&map->tables, map_run(map, pages), &source, only_dirty, KEPT_FRAMES_MAX);
    map_unlock(map);
}

/* Pages that have a frame of their own keep it, and have the bytes already. */
static void share_frames(const mf_memory *memory, page_run pages) {
    map *map = memory->paged.map;
    page_source source = as_created(memory);
    map_lock(map);
    page_tables_share(&map->tables, map_run(map, pages), &source);
    map_unlock(map);
}

static bool place_pages(const mf_memory *memory, page_run pages) {
    restore(memory, pages, false);
    if (is_at_touch(memory))
        share_frames(memory, pages);
    return true;
}

/* ---- Creation ------------------------------------------------------------------------------ */

/* A memory that is not complete is only closed. */
bool paged_build(mf_memory *memory) {
    const mf_layout *layout = memory->start;
    for (size_t i = 0; i < layout->run_count; i++) {
        const layout_run *run = &layout->runs[i];
        if (!host_pages_try(memory, (page_run){run->first, run->end}, (mf_perm)run->perm))
            return false;
    }
    paged_extend(memory, memory_creation_end(memory));
    memory->paged.touched = (page_run){0, 0};
    return has_image_frames(memory) && pass_image(memory, reserve_pages) && pass_image(memory, place_pages);
}

/* ---- Reset --------------------------------------------------------------------------------- */

/* What a pass does to pages that have this permission at creation. */
typedef bool created_step(const mf_memory *memory, page_run part, mf_perm perm);

static bool pass_created(const mf_memory *memory, created_step *step) {
    layout_walk walk = layout_walk_begin(memory->start, pages_of_host(memory));
    page_run part;
    mf_perm perm;
    while (layout_walk_next(&walk, &part, &perm))
        if (!step(memory, part, perm))
            return false;
    return true;
}

static bool reserve_part(const mf_memory *memory, page_run part, mf_perm perm) {
    return perm == MF_PERM_NONE || map_reserve(memory->paged.map, part);
}

static bool protect_part(const mf_memory *memory, page_run part, mf_perm perm) {
    return perms_all(memory->table.perms, part, perm) || host_pages_try(memory, part, perm);
}

static void drop(const mf_memory *memory, page_run run) {
    map *map = memory->paged.map;
    map_lock(map);
    page_tables_zero(&map->tables, map_run(map, run), true);
    map_unlock(map);
}

/* Pages without permission keep frames for bytes of the image only, and tables for what was reserved. */
static bool drop_part(const mf_memory *memory, page_run part, mf_perm perm) {
    page_run kept = {part.end, part.end};
    while (perm == MF_PERM_NONE && part.first < part.end) {
        if (!image_next_pages(memory->image, part.first, &kept) || kept.first > part.end)
            kept = (page_run){part.end, part.end};
        if (part.first < kept.first)
            drop(memory, (page_run){part.first, kept.first});
        part.first = kept.end;
    }
    return true;
}

/* The heap's pages are NONE again and have no bytes; all other permissions are as they were created. */
static bool rebuild_grown(const mf_memory *memory) {
    uint64_t start_end = page_ceil(memory->start_top);
    page_run heap = page_run_of(start_end, memory->view.heap_end - start_end);
    if (!host_pages_set(memory, heap, MF_PERM_NONE))
        return false;
    map_drop(memory->paged.map, heap);
    restore(memory, pages_of_host(memory), true);
    return true;
}

/* Pages of the image that were dropped meanwhile are not dirty and not as they were. */
bool paged_rebuild(mf_memory *memory) {
    if (paged_has_only_grown(memory))
        return rebuild_grown(memory);
    page_run all = pages_of_host(memory);
    unsigned long changes = map_changes(memory->paged.map);
    bool is_ready = pass_created(memory, reserve_part) && pass_image(memory, reserve_pages) &&
                    pass_created(memory, protect_part);
    if (is_ready) {
        pass_created(memory, drop_part);
        restore(memory, all, true);
        pass_image(memory, place_pages);
        memory->paged.touched = (page_run){0, 0};
    } else {
        host_pages_restore_since(memory, all, changes);
    }
    map_unreserve(memory->paged.map, all);
    return is_ready;
}

/* ---- Clone --------------------------------------------------------------------------------- */

static bool protect_as(const mf_memory *memory, const mf_memory *from) {
    live_walk walk = live_walk_begin(from);
    layout_run run;
    while (live_walk_next(&walk, &run))
        if (!host_pages_try(memory, (page_run){run.first, run.end}, (mf_perm)run.perm))
            return false;
    return true;
}

static bool shares(const mf_memory *memory, uint32_t page) {
    map *map = memory->paged.map;
    map_lock(map);
    bool is_so = page_tables_shares(&map->tables, address_of(memory, page));
    map_unlock(map);
    return is_so;
}

/* Pages of the image that `from` has dropped are zero, until those with frames of their own are copied. */
static void drop_as(const mf_memory *memory, const mf_memory *from) {
    page_run pages;
    for (uint32_t page = 0; image_next_pages(memory->image, page, &pages); page = pages.end)
        for (uint32_t at = pages.first; at < pages.end; at++)
            if (!shares(from, at))
                map_drop(memory->paged.map, (page_run){at, at + 1});
}

static bool find_frames(const mf_memory *memory, page_run rest, frame_kind kind, frame_run *found) {
    map *map = memory->paged.map;
    map_lock(map);
    bool is_found = page_tables_find(&map->tables, map_run(map, rest), kind, found);
    map_unlock(map);
    return is_found;
}

static bool copy_frames(const mf_memory *memory, const mf_memory *from, const frame_run *found) {
    uint32_t first = page_at(from, found->pages.start);
    page_run pages = {first, first + (uint32_t)found->pages.pages};
    const unsigned char *bytes = from->paged.map->frames.direct_map + found->frame;
    if (!map_populate(memory->paged.map, pages))
        return false;
    for (uint32_t page = pages.first; page < pages.end; page++)
        write_page(memory, page, bytes + page_bytes(page - pages.first));
    return true;
}

static bool copy_kind(const mf_memory *memory, const mf_memory *from, frame_kind kind) {
    page_run rest = pages_of_host(from);
    frame_run found;
    while (find_frames(from, rest, kind, &found)) {
        if (!copy_frames(memory, from, &found))
            return false;
        rest.first = page_at(from, found.pages.start) + (uint32_t)found.pages.pages;
    }
    return true;
}

/* Frames that are shared, or not dirty since creation, are as those that the clone begins with. */
static bool begin_as(mf_memory *memory, const mf_memory *from) {
    if (!has_image_frames(memory) || !pass_image(memory, reserve_pages) || !pass_image(memory, place_pages))
        return false;
    if (!paged_has_only_grown(from))
        drop_as(memory, from);
    return copy_kind(memory, from, paged_has_only_grown(from) ? FRAME_DIRTY : FRAME_OWN);
}

/* A failed clone is good for close only. The two may be in different address spaces. */
bool paged_clone(mf_memory *memory, mf_memory *from) {
    paged_extend(memory, from->paged.end_bytes);
    memory->paged.touched = from->paged.touched;
    return protect_as(memory, from) && begin_as(memory, from);
}

/* ---- Frames beforehand --------------------------------------------------------------------- */

mf_status mf_bare_populate(mf_memory *memory, uint64_t start, uint64_t size, mf_diag *diag) {
    mf_status status = page_range_check(start, size, diag);
    if (status != MF_OK || size == 0)
        return status;
    if (is_at_touch(memory) && !map_populate(memory->paged.map, page_run_of(start, size)))
        return memory_exhausted(diag);
    paged_extend(memory, start + size);
    return MF_OK;
}
