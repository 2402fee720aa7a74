/*
 * Creation and reset: the pages have the permissions of the layout and the bytes of the image.
 *
 * Both go through the pages in parts that have one permission in the layout. Creation may fail anywhere,
 * because a memory that is not complete is only closed. Reset has to leave everything as it was if it fails,
 * so it goes in passes: reserve what the host may run out of, try every change of permissions without
 * touching a byte, drop the bytes, and then write, which cannot fail because every step has been granted a
 * moment before.
 */
#include "x86_paged/host_pages.h"
#include "x86_paged/map.h"
#include "x86_paged/operations.h"

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

/* ---- Parts of the layout ------------------------------------------------------------------- */

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
    bool is_inside = run != NULL && run->first <= walk->rest.first;
    uint32_t end = is_inside ? run->end : run != NULL ? run->first : walk->rest.end;
    *part = (page_run){walk->rest.first, end < walk->rest.end ? end : walk->rest.end};
    *perm = is_inside ? (mf_perm)run->perm : MF_PERM_NONE;
    walk->next += is_inside;
    walk->rest.first = part->end;
    return true;
}

static page_run pages_of_host(const mf_memory *memory) {
    return page_run_of(0, memory->paged.end_bytes);
}

/* ---- Passes over the image ----------------------------------------------------------------- */

/* How a pass gives the pages of a part a permission. */
typedef bool set_pages(const mf_memory *memory, page_run part, mf_perm perm);

static bool reserve_pages(const mf_memory *memory, page_run part, mf_perm perm) {
    return perm != MF_PERM_RW || map_reserve(memory->paged.map, part);
}

/*
 * What one pass does to the parts of the image. Read-write parts take their bytes as they are. Every other
 * part is opened for that: its pages become read-write, are written, and get their permission back.
 */
typedef struct image_pass {
    set_pages *set; /* how a part is opened and closed; NULL: only read-write parts are written */
    bool writes;
} image_pass;

/* May fail. */
static const image_pass build = {.set = host_pages_try, .writes = true};
static const image_pass reserve = {.set = reserve_pages};
static const image_pass try_out = {.set = host_pages_try};

/* Cannot fail: after try_out, and where no permission changes. */
static const image_pass insist = {.set = host_pages_insist, .writes = true};
static const image_pass rewrite = {.writes = true};

/* Writes the bytes that the chunk has in the pages of `part`, which are writable. */
static void write_part(const mf_memory *memory, const chunk *c, page_run part) {
    uint64_t part_start = page_bytes(part.first);
    uint64_t part_end = page_bytes(part.end);
    uint64_t chunk_end = c->start + c->count;
    uint64_t start = c->start > part_start ? c->start : part_start;
    uint64_t end = chunk_end < part_end ? chunk_end : part_end;
    memcpy(memory->view.base + start, c->bytes + (start - c->start), end - start);
}

/*
 * A part without permission stays open when nothing is written yet: a kernel gives frames of such pages back
 * when their bytes are dropped, and would have to find new ones for the pass that writes.
 */
static bool pass_part(const mf_memory *memory, const image_pass *pass, const chunk *c, page_run part,
                      mf_perm perm) {
    bool is_opened = perm != MF_PERM_RW;
    bool stays_open = perm == MF_PERM_NONE && !pass->writes;
    if (is_opened && pass->set == NULL)
        return true;
    if (is_opened && !pass->set(memory, part, MF_PERM_RW))
        return false;
    if (pass->writes)
        write_part(memory, c, part);
    return !is_opened || stays_open || pass->set(memory, part, perm);
}

static bool pass_image(const mf_memory *memory, const image_pass *pass) {
    for (size_t i = 0; i < memory_chunk_count(memory); i++) {
        const chunk *c = memory->image->chunks[i];
        created_walk walk = walk_created(memory, chunk_pages(c));
        page_run part;
        mf_perm perm;
        while (next_created(&walk, &part, &perm))
            if (!pass_part(memory, pass, c, part, perm))
                return false;
    }
    return true;
}

/* ---- Creation ------------------------------------------------------------------------------ */

bool paged_build(mf_memory *memory) {
    const mf_layout *layout = memory->created;
    for (size_t i = 0; i < layout->run_count; i++) {
        const layout_run *run = &layout->runs[i];
        if (!host_pages_try(memory, (page_run){run->first, run->end}, (mf_perm)run->perm))
            return false;
    }
    paged_extend(memory, memory_creation_end(memory));
    memory->paged.only_grown = true;
    return pass_image(memory, &build);
}

/* ---- Reset of a memory that has only grown ------------------------------------------------- */

static void zero_created_writable(const mf_memory *memory) {
    const mf_layout *layout = memory->created;
    uint32_t pages = 0;
    for (size_t i = 0; i < layout->window_count[MF_STORE]; i++)
        pages += layout->windows[MF_STORE][i].end - layout->windows[MF_STORE][i].first;
    for (size_t i = 0; i < layout->window_count[MF_STORE]; i++)
        host_pages_zero(memory, layout->windows[MF_STORE][i], pages <= OVERWRITE_MAX_PAGES);
}

/*
 * Only the heap has other permissions than at creation, and only read-write pages have other bytes: those of
 * read-only pages, and the hidden ones, are still the image's.
 */
static bool rebuild_grown(const mf_memory *memory) {
    uint64_t heap_base = memory->created->heap.base;
    page_run heap = page_run_of(heap_base, memory->view.heap_end - heap_base);
    if (!host_pages_set(memory, heap, MF_PERM_NONE))
        return false;
    if (!map_drop(memory->paged.map, heap) && !host_pages_zero_by_hand(memory, heap, MF_PERM_NONE))
        return false;
    zero_created_writable(memory);
    return pass_image(memory, &rewrite);
}

/* ---- Reset after other changes ------------------------------------------------------------- */

static bool reserve_created(const mf_memory *memory) {
    created_walk walk = walk_created(memory, pages_of_host(memory));
    page_run part;
    mf_perm perm;
    while (next_created(&walk, &part, &perm))
        if (perm != MF_PERM_NONE && !map_reserve(memory->paged.map, part))
            return false;
    return pass_image(memory, &reserve);
}

static bool try_created_perms(const mf_memory *memory) {
    created_walk walk = walk_created(memory, pages_of_host(memory));
    page_run part;
    mf_perm perm;
    while (next_created(&walk, &part, &perm))
        if (!perms_all(memory->table.perms, part, perm) && !host_pages_try(memory, part, perm))
            return false;
    return pass_image(memory, &try_out);
}

bool paged_rebuild(mf_memory *memory) {
    if (memory->paged.only_grown)
        return rebuild_grown(memory);
    page_run all = pages_of_host(memory);
    unsigned long changes = map_changes(memory->paged.map);
    if (!reserve_created(memory)) {
        map_unreserve(memory->paged.map, all);
        return false;
    }
    if (!try_created_perms(memory) || !map_drop(memory->paged.map, all)) {
        host_pages_restore_since(memory, all, changes);
        map_unreserve(memory->paged.map, all);
        return false;
    }
    memory->paged.only_grown = true;
    return pass_image(memory, &insist);
}
