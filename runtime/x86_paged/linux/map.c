/* The verbs of map.h on Linux: a private anonymous mapping, mprotect and madvise. */
#include "x86_paged/map.h"
#include "os.h"
#include "x86_paged/reservations.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

/*
 * The guard pages keep whatever lies beside a reservation at a distance, and make the mapping a multiple of a
 * huge page: then the kernel can lay out one after the other without gaps.
 */
#define GUARD_PAGES_BEFORE_BYTES OS_HUGE_PAGE_BYTES
#define MAPPING_BYTES(bytes) (((bytes) / OS_HUGE_PAGE_BYTES + 2) * OS_HUGE_PAGE_BYTES)

MF_STATIC_ASSERT(
    MAPPING_BYTES(RESERVATION_BYTES) - GUARD_PAGES_BEFORE_BYTES - RESERVATION_BYTES >= 64 * 1024 &&
        MAPPING_BYTES(RESERVATION_U32_BYTES) - GUARD_PAGES_BEFORE_BYTES - RESERVATION_U32_BYTES >= 64 * 1024,
    "the guard pages behind");
MF_STATIC_ASSERT(MF_PAGE_SIZE == 4096, "guest pages are the pages of the CPU");

struct map {
    reservation reservation;
    unsigned char *base;
    unsigned long changes;
    bool allows_huge_pages;
};

/* MADV_DONTNEED_LOCKED, since Linux 5.18; older headers lack it. */
#define DROP_LOCKED 24

map *map_open(const unsigned char *perms, uint64_t bytes, bool allow_huge_pages) {
    map *map = os_allocate(sizeof *map);
    unsigned char *space = map != NULL ? os_reserve(MAPPING_BYTES(bytes), OS_HUGE_PAGE_BYTES) : NULL;
    if (space != NULL) {
        map->base = space + GUARD_PAGES_BEFORE_BYTES;
        map->allows_huge_pages = allow_huge_pages;
        map->reservation = (reservation){.start = (uintptr_t)map->base, .bytes = bytes, .perms = perms};
        if (reservation_add(&map->reservation))
            return map;
    }
    os_release(space, MAPPING_BYTES(bytes));
    os_free(map);
    return NULL;
}

void map_close(map *map) {
    if (map != NULL) {
        reservation_remove(&map->reservation);
        os_release(map->base - GUARD_PAGES_BEFORE_BYTES, MAPPING_BYTES(map->reservation.bytes));
        os_free(map);
    }
}

/*
 * The advice is given once to everything, guard pages included, so that it splits no mapping. The kernel
 * follows it only where 2 MiB lie in one mapping, that is inside a run of pages with one permission.
 */
void map_allow_huge_pages(map *map) {
    if (map->allows_huge_pages)
        os_allow_huge_pages(map->base - GUARD_PAGES_BEFORE_BYTES, MAPPING_BYTES(map->reservation.bytes));
}

unsigned char *map_base(const map *map) {
    return map->base;
}

/*
 * The kernel stops in the middle of a change for want of memory or mappings only, and never refuses what
 * changes nothing. So any other error, and a refusal of that, is a policy's, which looks at the whole call.
 */
static bool refused_wholly(const map *map, int error) {
    return error != ENOMEM || mprotect(map->base - MF_PAGE_SIZE, MF_PAGE_SIZE, PROT_NONE) != 0;
}

bool map_protect(map *map, page_run run, mf_perm perm) {
    static const int protections[] = {
        [MF_PERM_NONE] = PROT_NONE,
        [MF_PERM_RO] = PROT_READ,
        [MF_PERM_RW] = PROT_READ | PROT_WRITE,
    };
    bool done =
        mprotect(map->base + page_bytes(run.first), page_bytes(run.end - run.first), protections[perm]) == 0;
    map->changes += done || !refused_wholly(map, errno);
    return done;
}

unsigned long map_changes(const map *map) {
    return map->changes;
}

/* One line of the kernel's list: addresses and, in the first two of four letters, what may be done. */
static bool read_mapping(FILE *list, uintptr_t *start, uintptr_t *end, char letters[5]) {
    return fscanf(list, "%lx-%lx %4c%*[^\n]", start, end, letters) == 3;
}

/* What the kernel may run out of are mappings, which cannot be set aside; changes that fail leave none
 * behind. */
bool map_reserve(map *map, page_run run) {
    (void)map;
    (void)run;
    return true;
}

void map_unreserve(map *map, page_run run) {
    (void)map;
    (void)run;
}

/* The kernel finds memory when it is needed, or ends the process. */
bool map_populate(map *map, page_run run) {
    (void)map;
    (void)run;
    return true;
}

bool map_has(map *map, page_run run, mf_perm perm) {
    static const char *const wanted[] = {"--", "r-", "rw"};
    uintptr_t at = map->reservation.start + page_bytes(run.first);
    uintptr_t run_end = map->reservation.start + page_bytes(run.end);
    uintptr_t start;
    uintptr_t end;
    char letters[5];
    FILE *list = fopen("/proc/self/maps", "re");
    if (list == NULL)
        return false;
    while (at < run_end && read_mapping(list, &start, &end, letters) && start <= at)
        if (at < end)
            at = memcmp(letters, wanted[perm], 2) == 0 ? end : at;
    fclose(list);
    return at >= run_end;
}

/* The first advice fails for locked pages, the second on old kernels. */
bool map_drop(map *map, page_run run) {
    unsigned char *start = map->base + page_bytes(run.first);
    size_t bytes = page_bytes(run.end - run.first);
    return bytes == 0 || madvise(start, bytes, MADV_DONTNEED) == 0 || madvise(start, bytes, DROP_LOCKED) == 0;
}

/*
 * In one step. The kernel refuses a move for want of mappings before it does anything; should it fail later,
 * for want of memory of its own, the place is empty, and must not stay so: another mapping might come there.
 */
static bool move_over(void *fresh, size_t bytes, void *place) {
    static const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
    if (mremap(fresh, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, place) != MAP_FAILED)
        return true;
    mmap(place, bytes, PROT_NONE, flags, -1, 0);
    return false;
}

/* New pages take the place of the old ones: read-write and zero before they are there. */
bool map_renew(map *map, page_run run) {
    unsigned char *place = map->base + page_bytes(run.first);
    size_t bytes = page_bytes(run.end - run.first);
    void *fresh = os_reserve(bytes, 0);
    if (fresh == NULL)
        return false;
    if (map->allows_huge_pages)
        os_allow_huge_pages(fresh, bytes);
    bool done = os_commit(fresh, bytes) && move_over(fresh, bytes, place);
    if (!done)
        os_release(fresh, bytes);
    map->changes += done;
    return done;
}

void map_copy(map *to, map *from, page_run run, os_copy_mode mode) {
    uint64_t start = page_bytes(run.first);
    os_copy(to->base + start, from->base + start, page_bytes(run.end) - start, mode);
}

bool map_image(map *map, page_run run, mf_perm perm, const os_shared *shared, size_t offset) {
    bool done = os_shared_map(shared, offset, map->base + page_bytes(run.first),
                              page_bytes(run.end - run.first), perm);
    map->changes += done;
    return done;
}

bool map_zero(map *map, page_run run, mf_perm perm) {
    bool done = os_map_zero(map->base + page_bytes(run.first), page_bytes(run.end - run.first), perm);
    if (done && map->allows_huge_pages)
        os_allow_huge_pages(map->base + page_bytes(run.first), page_bytes(run.end - run.first));
    map->changes += done;
    return done;
}

bool map_visit_written(map *map, page_run run, os_visit *visit, os_visit *visit_zero, void *context) {
    return os_visit_written(map->base + page_bytes(run.first), page_bytes(run.end - run.first), visit,
                            visit_zero, context);
}
