/* The verbs of map.h without an operating system: page tables in the window that the kernel has chosen. */
#include "map.h"
#include "bare_host.h"
#include "bare_tables.h"
#include "panic_impl.h"
#include "windows.h"

#include <memfold/bare.h>

#include <stdatomic.h>
#include <string.h>

struct mf_map {
    mf_window window;
    mf_bare_window place;
    mf_frame_source frames;
    mf_bare_tables tables;
};

MF_STATIC_ASSERT(MF_BARE_WINDOW_U33_BYTES == MF_WINDOW_BYTES, "the longest window");
MF_STATIC_ASSERT(MF_BARE_NO_FRAME == MF_NO_FRAME, "one word for no frame");

/* The two halves of the space (Intel SDM volume 1, 3.3.7.1). */
#define LOW_HALF_END UINT64_C(0x0000800000000000)
#define HIGH_HALF_START UINT64_C(0xffff800000000000)

static bool is_inside_one_half(const mf_bare_window *place) {
    uint64_t last = place->base + (place->bytes - 1);
    return place->base < HIGH_HALF_START ? last < LOW_HALF_END : last >= place->base;
}

static bool is_sound(const mf_bare_window *place) {
    return place->base % MF_PAGE_SIZE == 0 && place->root % MF_PAGE_SIZE == 0 &&
           (place->bytes == MF_BARE_WINDOW_U32_BYTES || place->bytes == MF_BARE_WINDOW_U33_BYTES) &&
           is_inside_one_half(place);
}

static mf_bare_run run_of(const mf_map *map, mf_page_run run) {
    return (mf_bare_run){map->place.base + mf_page_bytes(run.first), run.end - run.first};
}

static mf_bare_run whole_window(const mf_map *map) {
    return (mf_bare_run){map->place.base, map->place.bytes / MF_PAGE_SIZE};
}

/* ---- One at a time on the tables of one root ------------------------------------------------- */

/*
 * Memories are independent, but those of one address space may have tables in common. A CPU that waits here
 * must be able to forget pages for the one that it waits for, so interrupts stay as they are.
 */
#define LOCK_COUNT 64
static atomic_uint locks[LOCK_COUNT];

static atomic_uint *lock_of(const mf_map *map) {
    return &locks[map->place.root / MF_PAGE_SIZE % LOCK_COUNT];
}

static void lock(const mf_map *map) {
    for (unsigned attempt = 0; atomic_exchange_explicit(lock_of(map), 1, memory_order_acquire) != 0;
         attempt++) {
        mf_os_wait(attempt);
    }
}

static void unlock(const mf_map *map) {
    atomic_store_explicit(lock_of(map), 0, memory_order_release);
}

/* ---- Windows --------------------------------------------------------------------------------- */

static bool is_empty(const mf_map *map) {
    lock(map);
    bool is_so = mf_bare_tables_are_empty(&map->tables, whole_window(map));
    unlock(map);
    return is_so;
}

/* A wrong window is the kernel's mistake, and what it would overwrite is the kernel's or another guest's. */
static void take_window(mf_map *map) {
    map->window = (mf_window){
        .start = map->place.base,
        .bytes = map->place.bytes,
        .space = map->place.root,
        .is_user = map->place.is_user,
    };
    if (!is_sound(&map->place) || !is_empty(map) || !mf_window_add(&map->window)) {
        mf_panic_values("open_window gave a window that cannot be one, is not empty or overlaps another: ",
                        map->place.base, ", ", map->place.bytes, " bytes");
    }
}

static void connect(mf_map *map, const mf_bare_host *host, bool allow_huge_pages) {
    map->frames = (mf_frame_source){
        .direct_map = host->direct_map,
        .context = host->context,
        .take = host->take_frame,
        .take_huge = allow_huge_pages ? host->take_huge_frame : NULL,
        .give = host->give_frame,
        .forget = host->forget_pages,
    };
    map->tables = (mf_bare_tables){&map->frames, map->place.root, map->place.is_user};
}

mf_map *mf_map_open(bool allow_huge_pages) {
    const mf_bare_host *host = mf_bare_host_get();
    mf_map *map = mf_os_allocate(sizeof *map);
    if (map == NULL || !host->open_window(host->context, &map->place)) {
        mf_os_free(map);
        return NULL;
    }
    connect(map, host, allow_huge_pages);
    take_window(map);
    return map;
}

void mf_map_close(mf_map *map) {
    const mf_bare_host *host = mf_bare_host_get();
    if (map != NULL) {
        mf_window_remove(&map->window);
        lock(map);
        mf_bare_tables_clear(&map->tables, whole_window(map));
        unlock(map);
        host->close_window(host->context, &map->place);
        mf_os_free(map);
    }
}

unsigned char *mf_map_base(const mf_map *map) {
    return (unsigned char *)map->place.base;
}

/* ---- Pages ----------------------------------------------------------------------------------- */

bool mf_map_protect(mf_map *map, mf_page_run run, mf_perm perm) {
    lock(map);
    bool is_done = mf_bare_tables_protect(&map->tables, run_of(map, run), perm);
    unlock(map);
    return is_done;
}

bool mf_map_reserve(mf_map *map, mf_page_run run) {
    lock(map);
    bool is_done = mf_bare_tables_reserve(&map->tables, run_of(map, run));
    unlock(map);
    return is_done;
}

void mf_map_unreserve(mf_map *map, mf_page_run run) {
    lock(map);
    mf_bare_tables_unreserve(&map->tables, run_of(map, run));
    unlock(map);
}

bool mf_map_has(mf_map *map, mf_page_run run, mf_perm perm) {
    lock(map);
    bool is_so = mf_bare_tables_have(&map->tables, run_of(map, run), perm);
    unlock(map);
    return is_so;
}

bool mf_map_drop(mf_map *map, mf_page_run run) {
    lock(map);
    mf_bare_tables_zero(&map->tables, run_of(map, run));
    unlock(map);
    return true;
}

static void *page_bytes(mf_map *map, uint32_t page) {
    lock(map);
    uint64_t frame = mf_bare_tables_frame(&map->tables, map->place.base + mf_page_bytes(page));
    unlock(map);
    return map->frames.direct_map + frame;
}

/* By the direct map, so that the two may be in different address spaces. Both pages have frames. */
void mf_map_copy(mf_map *to, mf_map *from, mf_page_run run) {
    for (uint32_t page = run.first; page < run.end; page++) {
        const void *source = page_bytes(from, page);
        memcpy(page_bytes(to, page), source, MF_PAGE_SIZE);
    }
}

static bool find(mf_map *map, mf_bare_run run, mf_bare_run *part) {
    lock(map);
    bool is_found = mf_bare_tables_find(&map->tables, run, part);
    unlock(map);
    return is_found;
}

/* The visitor changes permissions, so the tables are free meanwhile. */
bool mf_map_visit_written(mf_map *map, uint64_t bytes, mf_os_visit *visit, void *context) {
    mf_bare_run rest = {map->place.base, bytes / MF_PAGE_SIZE};
    mf_bare_run part;
    while (find(map, rest, &part)) {
        if (!visit(context, part.start - map->place.base, part.pages * MF_PAGE_SIZE))
            return false;
        uint64_t part_end = part.start + part.pages * MF_PAGE_SIZE;
        rest.pages -= (part_end - rest.start) / MF_PAGE_SIZE;
        rest.start = part_end;
    }
    return true;
}
