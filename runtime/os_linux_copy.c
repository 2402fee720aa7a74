/*
 * Copying and zeroing sparse memory on Linux. Only the kernel knows which pages of a lazily committed range
 * were ever written: permissions do not tell it, because bytes stay where a page has lost its permission and
 * accessors of the bounds policy write pages that never had one. So it is asked, by the first of these that
 * answers:
 *
 *     runs     one system call on the page map lists runs of written pages (since 6.7)
 *     words    one word of the page map per page
 *     mincore  needs no file; names resident pages, so it is believed only while nothing is swapped out
 *     rest     every page counts as written
 *
 * The last is slow. It takes no memory on kernels that map one page of zeros where private pages are read
 * that were never written; a kernel without that page commits what is read.
 */
#include "os.h"
#include "os_linux_page_map.h"

#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <unistd.h>

/* A run of host addresses, [start, end). The first two fields of the kernel's struct page_region. */
typedef struct host_run {
    uint64_t start;
    uint64_t end;
    uint64_t categories;
} host_run;

#define RUNS_PER_STEP 128
#define PAGES_PER_STEP 1024
#define RESIDENT_PER_STEP 8192

/* A walk over the written runs of [at, end). */
typedef struct page_walk {
    int page_map; /* -1: cannot be opened */
    bool owns_page_map;
    bool is_certain;      /* of the runs below */
    unsigned next_source; /* the sources before it do not answer */
    uint64_t page_bytes;
    uint64_t at;
    uint64_t end;
    size_t run_count;
    host_run runs[RUNS_PER_STEP];
} page_walk;

/* The kernel's struct pm_scan_arg, PAGEMAP_SCAN and PAGE_IS_*, which older headers lack. */
typedef struct scan_request {
    uint64_t size;
    uint64_t flags;
    uint64_t start;
    uint64_t end;
    uint64_t walk_end;
    uint64_t runs;
    uint64_t run_capacity;
    uint64_t max_pages;
    uint64_t category_inverted;
    uint64_t category_mask;
    uint64_t category_anyof_mask;
    uint64_t return_mask;
} scan_request;

#define SCAN_REQUEST _IOWR('f', 16, scan_request)
#define SCAN_FILE (UINT64_C(1) << 2)
#define SCAN_PRESENT (UINT64_C(1) << 3)
#define SCAN_SWAPPED (UINT64_C(1) << 4)
#define SCAN_ZERO (UINT64_C(1) << 5)

#define PAGE_MAP_FILE (UINT64_C(1) << 61)
#define PAGE_MAP_SWAPPED (UINT64_C(1) << 62)
#define PAGE_MAP_PRESENT (UINT64_C(1) << 63)

/*
 * Pages that are present or swapped, and neither a file's nor the page of zeros. A run of both kinds comes in
 * parts.
 */
static bool scan(page_walk *walk) {
    scan_request request = {
        .size = sizeof request,
        .start = walk->at,
        .end = walk->end,
        .runs = (uint64_t)(uintptr_t)walk->runs,
        .run_capacity = RUNS_PER_STEP,
        .category_inverted = SCAN_FILE | SCAN_ZERO,
        .category_mask = SCAN_FILE | SCAN_ZERO,
        .category_anyof_mask = SCAN_PRESENT | SCAN_SWAPPED,
        .return_mask = SCAN_PRESENT | SCAN_SWAPPED,
    };
    /* Not ioctl(): C libraries do not agree on the type of its second parameter. */
    long count = syscall(SYS_ioctl, walk->page_map, SCAN_REQUEST, &request);
    if (count < 0 || request.walk_end <= walk->at)
        return false;
    walk->run_count = (size_t)count;
    walk->at = request.walk_end;
    walk->is_certain = true;
    return true;
}

/* What was shared may have been closed by others. */
static bool step_by_runs(page_walk *walk) {
    if (scan(walk))
        return true;
    if (walk->page_map < 0 || walk->owns_page_map || !page_map_is_lost())
        return false;
    walk->page_map = page_map_open();
    walk->owns_page_map = true;
    return scan(walk);
}

static void append_page(page_walk *walk, uint64_t page) {
    if (walk->run_count > 0 && walk->runs[walk->run_count - 1].end == page)
        walk->runs[walk->run_count - 1].end += walk->page_bytes;
    else
        walk->runs[walk->run_count++] = (host_run){page, page + walk->page_bytes, 0};
}

/*
 * An emulator of other machines may pass the page map of its own process through, where pages have another
 * size and other addresses. So the page that the walk itself is in must be there.
 */
static bool speaks_of_this_process(const page_walk *walk) {
    uint64_t entry = 0;
    off_t offset = (off_t)((uintptr_t)walk / walk->page_bytes * sizeof entry);
    return pread(walk->page_map, &entry, sizeof entry, offset) == (ssize_t)sizeof entry &&
           (entry & PAGE_MAP_PRESENT) != 0;
}

/* One word of the page map per page; the step ends early when the list of runs is full. */
static bool step_by_words(page_walk *walk) {
    uint64_t entries[PAGES_PER_STEP];
    uint64_t left = (walk->end - walk->at) / walk->page_bytes;
    size_t wanted = left < PAGES_PER_STEP ? (size_t)left : PAGES_PER_STEP;
    off_t offset = (off_t)(walk->at / walk->page_bytes * sizeof entries[0]);
    if (!speaks_of_this_process(walk) || pread(walk->page_map, entries, wanted * sizeof entries[0], offset) !=
                                             (ssize_t)(wanted * sizeof entries[0])) {
        return false;
    }
    walk->run_count = 0;
    walk->is_certain = false; /* the page of zeros cannot be told from others */
    for (size_t i = 0; i < wanted && walk->run_count < RUNS_PER_STEP; i++) {
        if ((entries[i] & (PAGE_MAP_PRESENT | PAGE_MAP_SWAPPED)) != 0 && (entries[i] & PAGE_MAP_FILE) == 0)
            append_page(walk, walk->at);
        walk->at += walk->page_bytes;
    }
    return true;
}

/*
 * Whether pages may be swapped out now: then mincore does not name them. Without swap space none is, and
 * swap space cannot go before what was in it is resident.
 */
static bool pages_may_be_swapped(void) {
    struct sysinfo info;
    return sysinfo(&info) != 0 || info.totalswap != info.freeswap;
}

/*
 * Residency is asked for between two looks at the swap space. Where the page map can be opened and yet
 * answers nothing, the host is strange enough that mincore is not believed either.
 */
static bool step_by_residency(page_walk *walk) {
    unsigned char resident[RESIDENT_PER_STEP];
    uint64_t left = (walk->end - walk->at) / walk->page_bytes;
    size_t wanted = left < RESIDENT_PER_STEP ? (size_t)left : RESIDENT_PER_STEP;
    void *start = (void *)(uintptr_t)walk->at;
    if (walk->page_map >= 0 || pages_may_be_swapped() ||
        mincore(start, wanted * walk->page_bytes, resident) != 0 || pages_may_be_swapped()) {
        return false;
    }
    walk->run_count = 0;
    walk->is_certain = false;
    for (size_t i = 0; i < wanted && walk->run_count < RUNS_PER_STEP; i++) {
        if ((resident[i] & 1) != 0)
            append_page(walk, walk->at);
        walk->at += walk->page_bytes;
    }
    return true;
}

static bool step_over_the_rest(page_walk *walk) {
    walk->runs[0] = (host_run){walk->at, walk->end, 0};
    walk->run_count = 1;
    walk->is_certain = false;
    walk->at = walk->end;
    return true;
}

/* The best first; the last always answers. */
static bool (*const sources[])(page_walk *walk) = {
    step_by_runs,
    step_by_words,
    step_by_residency,
    step_over_the_rest,
};

/* Fills walk->runs with the next runs that may hold bytes and moves walk->at behind them. */
static void step(page_walk *walk) {
    while (!sources[walk->next_source](walk))
        walk->next_source++;
}

bool os_visit_written(const void *space, size_t bytes, os_visit *visit, void *context) {
    uint64_t start = (uint64_t)(uintptr_t)space;
    uint64_t page_bytes = os_page_bytes();
    page_walk walk = {
        .page_map = page_map_borrow(),
        .page_bytes = page_bytes,
        .at = start,
        .end = start + (bytes + page_bytes - 1) / page_bytes * page_bytes,
    };
    bool goes_on = true;
    walk.owns_page_map = walk.page_map < 0;
    if (walk.owns_page_map)
        walk.page_map = page_map_open();
    while (goes_on && walk.at < walk.end) {
        step(&walk);
        for (size_t i = 0; goes_on && i < walk.run_count; i++) {
            uint64_t offset = walk.runs[i].start - start;
            uint64_t end = walk.runs[i].end - start < bytes ? walk.runs[i].end - start : bytes;
            goes_on = visit(context, offset, end - offset, walk.is_certain);
        }
    }
    if (walk.owns_page_map && walk.page_map >= 0)
        close(walk.page_map);
    return goes_on;
}

/* ---- Copying ------------------------------------------------------------------------------- */

static void copy_pages(unsigned char *to, const unsigned char *from, size_t bytes, os_copy_mode mode) {
    static const unsigned char zeros[MF_PAGE_SIZE];
    for (size_t done = 0; done < bytes; done += MF_PAGE_SIZE) {
        const unsigned char *there = mode == OS_COPY_NONZERO ? zeros : to + done;
        size_t count = bytes - done < MF_PAGE_SIZE ? bytes - done : MF_PAGE_SIZE;
        if (memcmp(from + done, there, count) != 0)
            memcpy(to + done, from + done, count);
    }
}

void os_copy(void *to, const void *from, size_t bytes, os_copy_mode mode) {
    if (mode == OS_COPY_ALL)
        memcpy(to, from, bytes);
    else
        copy_pages(to, from, bytes, mode);
}

/* ---- Zeroing ------------------------------------------------------------------------------- */

/* MADV_DONTNEED_LOCKED, since Linux 5.18; older headers lack it. */
#define DROP_LOCKED 24

/* The largest pages that a Linux host has. */
#define LARGEST_PAGE_BYTES ((size_t)1 << 16)

/*
 * The pages that madvise works in. It is asked itself, with no byte to drop, because what is told as the page
 * size need not be what rounds lengths up: it refuses a start that is not at a page. Where madvise is refused
 * altogether the answer does not matter.
 */
static size_t droppable_bytes(uintptr_t start, uintptr_t end) {
    size_t page_bytes = os_page_bytes();
    if (((start | end) & (LARGEST_PAGE_BYTES - 1)) == 0)
        return LARGEST_PAGE_BYTES;
    while (page_bytes < LARGEST_PAGE_BYTES && madvise((void *)page_bytes, 0, MADV_DONTNEED) != 0)
        page_bytes *= 2;
    return page_bytes;
}

/* The first advice fails for locked pages, the second on old kernels. A failed one may have dropped some. */
static bool drop_whole(void *pages, size_t bytes) {
    return madvise(pages, bytes, MADV_DONTNEED) == 0 || madvise(pages, bytes, DROP_LOCKED) == 0;
}

bool os_drop(void *pages, size_t bytes) {
    return bytes == 0 || drop_whole(pages, bytes);
}

void os_overwrite(void *space, size_t bytes) {
    static const unsigned char zeros[MF_PAGE_SIZE];
    unsigned char *at = space;
    unsigned char *end = at + bytes;
    while (at < end) {
        size_t count = MF_PAGE_SIZE - (uintptr_t)at % MF_PAGE_SIZE;
        if (count > (size_t)(end - at))
            count = (size_t)(end - at);
        if (memcmp(at, zeros, count) != 0)
            memset(at, 0, count);
        at += count;
    }
}

static bool overwrite_run(void *context, size_t offset, size_t bytes, bool is_certain) {
    (void)is_certain;
    os_overwrite((unsigned char *)context + offset, bytes);
    return true;
}

/*
 * The kernel rounds lengths up to its pages, so it is given only those that lie in the range as a whole. The
 * rest, and what it does not take, is overwritten where it has been written.
 */
void os_zero(void *space, size_t bytes) {
    unsigned char *at = space;
    size_t page_bytes = droppable_bytes((uintptr_t)at, (uintptr_t)at + bytes);
    size_t head_bytes = (size_t)(-(uintptr_t)at & (page_bytes - 1));
    if (head_bytes > bytes)
        head_bytes = bytes;
    size_t whole_bytes = (bytes - head_bytes) / page_bytes * page_bytes;
    unsigned char *whole = at + head_bytes;
    os_overwrite(at, head_bytes);
    if (whole_bytes > 0 && !drop_whole(whole, whole_bytes))
        os_visit_written(whole, whole_bytes, overwrite_run, whole);
    os_overwrite(whole + whole_bytes, bytes - head_bytes - whole_bytes);
}
