/* The verbs of map.h without an operating system: page tables in the reservation that the kernel has made. */
#include "x86_paged/map.h"
#include "x86_paged/bare/host.h"
#include "x86_paged/bare/map_impl.h"
#include "panic_impl.h"

#include <stdatomic.h>

MF_STATIC_ASSERT(MF_BARE_RESERVATION_U33_BYTES == RESERVATION_BYTES &&
                     MF_BARE_RESERVATION_OFFSET_BYTES == RESERVATION_U32_BYTES,
                 "what is asked for");
MF_STATIC_ASSERT(MF_BARE_NO_FRAME == NO_FRAME, "one word for no frame");

/* The two halves of the space (Intel SDM volume 1, 3.3.7.1). */
#define LOW_HALF_END UINT64_C(0x0000800000000000)
#define HIGH_HALF_START UINT64_C(0xffff800000000000)

static bool is_inside_one_half(const mf_bare_reservation *place) {
    uint64_t last = place->base + (place->bytes - 1);
    return place->base < HIGH_HALF_START ? last < LOW_HALF_END : last >= place->base;
}

static bool is_sound(const mf_bare_reservation *place) {
    return place->base % MF_PAGE_SIZE == 0 && place->root % MF_PAGE_SIZE == 0 &&
           (place->bytes == MF_BARE_RESERVATION_U32_BYTES ||
            place->bytes == MF_BARE_RESERVATION_OFFSET_BYTES ||
            place->bytes == MF_BARE_RESERVATION_U33_BYTES) &&
           (place->frames == MF_BARE_FRAMES_AT_MAP || place->frames == MF_BARE_FRAMES_AT_TOUCH) &&
           is_inside_one_half(place);
}

static virtual_run whole_reservation(const map *map) {
    return (virtual_run){map->place.base, map->place.bytes / MF_PAGE_SIZE};
}

/* ---- One at a time on the tables of one root ------------------------------------------------- */

/*
 * Memories are independent, but those of one address space may have tables in common. The CPU that holds the
 * lock may wait for the shootdown that it has asked for, so a CPU that waits here must be able to answer it:
 * interrupts stay on.
 */
#define LOCK_COUNT 64
static atomic_uint locks[LOCK_COUNT];

static atomic_uint *lock_of(const map *map) {
    return &locks[map->place.root / MF_PAGE_SIZE % LOCK_COUNT];
}

void map_lock(const map *map) {
    for (unsigned attempt = 0; atomic_exchange_explicit(lock_of(map), 1, memory_order_acquire) != 0;
         attempt++) {
        os_wait(attempt);
    }
}

void map_unlock(const map *map) {
    atomic_store_explicit(lock_of(map), 0, memory_order_release);
}

/* ---- Reservations ----------------------------------------------------------------------------- */

static bool is_empty(const map *map) {
    map_lock(map);
    bool is_so = page_tables_are_empty(&map->tables, whole_reservation(map));
    map_unlock(map);
    return is_so;
}

/* A wrong reservation is the kernel's mistake: what pages there would replace is its own or another guest's.
 */
static bool register_reservation(map *map, const unsigned char *perms) {
    map->reservation = (reservation){
        .start = map->place.base,
        .bytes = map->place.bytes,
        .space = map->place.root,
        .is_user = map->place.is_user,
        .perms = perms,
    };
    if (!is_sound(&map->place) || !is_empty(map) || reservation_overlaps(&map->reservation)) {
        panic_values("reserve gave a range that cannot be one, is not empty or overlaps another: ",
                     map->place.base, ", ", map->place.bytes, " bytes");
    }
    return reservation_add(&map->reservation);
}

static void connect(map *map, const mf_bare_host *host, bool allow_huge_pages) {
    map->frames = (frame_source){
        .direct_map = host->direct_map,
        .context = host->context,
        .take = host->take_frame,
        .take_huge = allow_huge_pages ? host->take_huge_frame : NULL,
        .give = host->give_frame,
        .shootdown = host->shootdown,
    };
    map->tables = (page_tables){
        .frames = &map->frames,
        .root = map->place.root,
        .is_user = map->place.is_user,
        .at_touch = map->place.frames == MF_BARE_FRAMES_AT_TOUCH,
        .whole = whole_reservation(map),
    };
}

map *map_open(const unsigned char *perms, uint64_t bytes, bool allow_huge_pages) {
    const mf_bare_host *host = bare_host_get();
    map *map = os_allocate(sizeof *map);
    if (map == NULL)
        return NULL;
    map->place.bytes = bytes;
    if (!host->reserve(host->context, &map->place)) {
        os_free(map);
        return NULL;
    }
    connect(map, host, allow_huge_pages);
    if (!register_reservation(map, perms)) {
        host->release(host->context, &map->place);
        os_free(map);
        return NULL;
    }
    return map;
}

void map_close(map *map) {
    const mf_bare_host *host = bare_host_get();
    if (map != NULL) {
        reservation_remove(&map->reservation);
        map_lock(map);
        page_tables_clear(&map->tables, whole_reservation(map));
        map_unlock(map);
        host->release(host->context, &map->place);
        os_free(map);
    }
}

/* Huge frames are asked for wherever one is allowed. */
void map_allow_huge_pages(map *map) {
    (void)map;
}

unsigned char *map_base(const map *map) {
    return (unsigned char *)map->place.base;
}

/* ---- Pages ----------------------------------------------------------------------------------- */

bool map_protect(map *map, page_run run, mf_perm perm) {
    map_lock(map);
    bool is_done = page_tables_protect(&map->tables, map_run(map, run), perm);
    map->changes++;
    map_unlock(map);
    return is_done;
}

unsigned long map_changes(const map *map) {
    return map->changes;
}

bool map_reserve(map *map, page_run run) {
    map_lock(map);
    bool is_done = page_tables_reserve(&map->tables, map_run(map, run));
    map_unlock(map);
    return is_done;
}

void map_unreserve(map *map, page_run run) {
    map_lock(map);
    page_tables_unreserve(&map->tables, map_run(map, run));
    map_unlock(map);
}

bool map_has(map *map, page_run run, mf_perm perm) {
    map_lock(map);
    bool is_so = page_tables_have(&map->tables, map_run(map, run), perm);
    map_unlock(map);
    return is_so;
}

bool map_drop(map *map, page_run run) {
    map_lock(map);
    page_tables_zero(&map->tables, map_run(map, run), false);
    map_unlock(map);
    return true;
}

bool map_populate(map *map, page_run run) {
    map_lock(map);
    bool is_done = page_tables_populate(&map->tables, map_run(map, run));
    map_unlock(map);
    return is_done;
}

bool map_renew(map *map, page_run run) {
    map_lock(map);
    bool is_done = page_tables_renew(&map->tables, map_run(map, run));
    map_unlock(map);
    return is_done;
}

static bool find_frames(map *map, virtual_run run, frame_run *part) {
    map_lock(map);
    bool is_found = page_tables_find(&map->tables, run, FRAME_ANY, part);
    map_unlock(map);
    return is_found;
}

/* What has a frame may have bytes. The visitor changes permissions, so the tables are free meanwhile. */
bool map_visit_written(map *map, page_run run, os_visit *visit, os_visit *visit_zero, void *context) {
    (void)visit_zero; /* nobody puts other frames in the place of written ones */
    virtual_run rest = map_run(map, run);
    uint64_t first = rest.start;
    frame_run part;
    while (find_frames(map, rest, &part)) {
        virtual_run pages = part.pages;
        if (!visit(context, pages.start - first, pages.pages * MF_PAGE_SIZE, false))
            return false;
        uint64_t part_end = pages.start + pages.pages * MF_PAGE_SIZE;
        rest.pages -= (part_end - rest.start) / MF_PAGE_SIZE;
        rest.start = part_end;
    }
    return true;
}

/* There are no bytes to share by mappings (host.c), so nobody asks. */
bool map_image(map *map, page_run run, mf_perm perm, const os_shared *shared, size_t offset) {
    (void)map;
    (void)run;
    (void)perm;
    (void)shared;
    (void)offset;
    return false;
}

bool map_zero(map *map, page_run run, mf_perm perm) {
    (void)map;
    (void)run;
    (void)perm;
    return false;
}
