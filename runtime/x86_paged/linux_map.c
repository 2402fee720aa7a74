/* The verbs of map.h on Linux: a private anonymous mapping, mprotect and madvise. */
#include "map.h"
#include "os.h"
#include "windows.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

/*
 * The guards keep whatever lies beside a window at a distance, and make all of it whole huge pages: then the
 * kernel can lay out one after the other without gaps.
 */
#define GUARD_BEFORE_BYTES MF_OS_HUGE_PAGE_BYTES
#define RESERVED_BYTES ((MF_WINDOW_BYTES / MF_OS_HUGE_PAGE_BYTES + 2) * MF_OS_HUGE_PAGE_BYTES)

MF_STATIC_ASSERT(RESERVED_BYTES - GUARD_BEFORE_BYTES - MF_WINDOW_BYTES >= 64 * 1024, "the guard behind");
MF_STATIC_ASSERT(MF_PAGE_SIZE == 4096, "guest pages are the pages of the CPU");

struct mf_map {
    mf_window window;
    unsigned char *base;
};

/* Since Linux 5.18; older headers lack it. */
#define DROP_LOCKED 24

/*
 * The advice is given once to everything, guards included, so that it splits no mapping. The kernel follows
 * it only where 2 MiB lie in one mapping, that is inside a run of pages with one permission.
 */
static unsigned char *reserve(bool allow_huge_pages) {
    unsigned char *space = mf_os_reserve(RESERVED_BYTES, MF_OS_HUGE_PAGE_BYTES);
    if (space != NULL && allow_huge_pages)
        mf_os_allow_huge_pages(space, RESERVED_BYTES);
    return space;
}

mf_map *mf_map_open(bool allow_huge_pages) {
    mf_map *map = mf_os_allocate(sizeof *map);
    unsigned char *space = map != NULL ? reserve(allow_huge_pages) : NULL;
    if (space == NULL) {
        mf_os_free(map);
        return NULL;
    }
    map->base = space + GUARD_BEFORE_BYTES;
    map->window = (mf_window){.start = (uintptr_t)map->base, .bytes = MF_WINDOW_BYTES};
    (void)mf_window_add(&map->window); /* the system's mappings do not overlap */
    return map;
}

void mf_map_close(mf_map *map) {
    if (map != NULL) {
        mf_window_remove(&map->window);
        mf_os_release(map->base - GUARD_BEFORE_BYTES, RESERVED_BYTES);
        mf_os_free(map);
    }
}

unsigned char *mf_map_base(const mf_map *map) {
    return map->base;
}

bool mf_map_protect(mf_map *map, mf_page_run run, mf_perm perm) {
    static const int protections[] = {
        [MF_PERM_NONE] = PROT_NONE,
        [MF_PERM_RO] = PROT_READ,
        [MF_PERM_RW] = PROT_READ | PROT_WRITE,
    };
    return mprotect(map->base + mf_page_bytes(run.first), mf_page_bytes(run.end - run.first),
                    protections[perm]) == 0;
}

/* One line of the kernel's list: addresses and, in the first two of four letters, what may be done. */
static bool read_mapping(FILE *list, uintptr_t *start, uintptr_t *end, char letters[5]) {
    return fscanf(list, "%lx-%lx %4c%*[^\n]", start, end, letters) == 3;
}

/* What the kernel may run out of are mappings, which cannot be set aside; changes that fail leave none
 * behind. */
bool mf_map_reserve(mf_map *map, mf_page_run run) {
    (void)map;
    (void)run;
    return true;
}

void mf_map_unreserve(mf_map *map, mf_page_run run) {
    (void)map;
    (void)run;
}

bool mf_map_has(mf_map *map, mf_page_run run, mf_perm perm) {
    static const char *const wanted[] = {"--", "r-", "rw"};
    uintptr_t at = map->window.start + mf_page_bytes(run.first);
    uintptr_t run_end = map->window.start + mf_page_bytes(run.end);
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
bool mf_map_drop(mf_map *map, mf_page_run run) {
    unsigned char *start = map->base + mf_page_bytes(run.first);
    size_t bytes = mf_page_bytes(run.end - run.first);
    return bytes == 0 || madvise(start, bytes, MADV_DONTNEED) == 0 || madvise(start, bytes, DROP_LOCKED) == 0;
}

void mf_map_copy(mf_map *to, mf_map *from, mf_page_run run) {
    uint64_t start = mf_page_bytes(run.first);
    mf_os_copy_nonzero(to->base + start, from->base + start, mf_page_bytes(run.end) - start);
}

bool mf_map_visit_written(mf_map *map, uint64_t bytes, mf_os_visit *visit, void *context) {
    return mf_os_visit_written(map->base, bytes, visit, context);
}
