/* Peers of lives. */
#include "bench/life_peers.h"

#include "bench/clock.h"

#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE_BYTES 4096
#define WINDOW_BYTES (UINT64_C(1) << 32)
#define RUNS_MAX 512

/* The kernel's struct page_region, struct pm_scan_arg and PAGE_IS_*, which older headers lack. */
typedef struct scan_run {
    uint64_t start, end, categories;
} scan_run;

typedef struct scan_request {
    uint64_t size, flags, start, end, walk_end, runs, run_capacity, max_pages;
    uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
} scan_request;

#define SCAN_REQUEST _IOWR('f', 16, scan_request)
#define SCAN_PRESENT (UINT64_C(1) << 3)
#define SCAN_SWAPPED (UINT64_C(1) << 4)

static unsigned char *map_anywhere(uint64_t bytes) {
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    void *area = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
    return area == MAP_FAILED ? NULL : area;
}

static void write_pages(unsigned char *area, uint64_t bytes, uint64_t pages) {
    for (uint64_t i = 0; i < pages; i++)
        area[life_page(bytes, pages, i)] = 1;
}

bool life_peer_init(life_peer *peer, uint64_t bytes) {
    *peer = (life_peer){.area = map_anywhere(bytes), .saved = map_anywhere(bytes), .bytes = bytes};
    peer->page_map = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    if (peer->area == NULL || peer->saved == NULL)
        return false;
    madvise(peer->area, bytes, MADV_NOHUGEPAGE);
    memset(peer->saved, 2, bytes);
    return true;
}

void life_peer_fini(life_peer *peer) {
    if (peer->page_map >= 0)
        close(peer->page_map);
    if (peer->area != NULL)
        munmap(peer->area, peer->bytes);
    if (peer->saved != NULL)
        munmap(peer->saved, peer->bytes);
}

static void copy_run(const life_peer *peer, const scan_run *run) {
    uint64_t offset = run->start - (uint64_t)(uintptr_t)peer->area;
    memcpy(peer->area + offset, peer->saved + offset, run->end - run->start);
}

/* Nothing is resident but the pages. */
static void begin_scan(const life_peer *peer, uint64_t pages) {
    madvise(peer->area, peer->bytes, MADV_DONTNEED);
    write_pages(peer->area, peer->bytes, pages);
}

static bool scan_and_copy(const life_peer *peer) {
    scan_run runs[RUNS_MAX];
    uint64_t start = (uint64_t)(uintptr_t)peer->area;
    scan_request request = {.size = sizeof request,
                            .start = start,
                            .end = start + peer->bytes,
                            .runs = (uint64_t)(uintptr_t)runs,
                            .run_capacity = RUNS_MAX,
                            .category_anyof_mask = SCAN_PRESENT | SCAN_SWAPPED,
                            .return_mask = SCAN_PRESENT | SCAN_SWAPPED};
    long count = syscall(SYS_ioctl, peer->page_map, SCAN_REQUEST, &request);
    for (long i = 0; i < count; i++)
        copy_run(peer, &runs[i]);
    return count >= 0;
}

double life_peer_scan_and_copy(life_peer *peer, uint64_t pages) {
    begin_scan(peer, pages);
    double from = bench_clock_ns();
    return scan_and_copy(peer) ? bench_clock_ns() - from : -1;
}

double life_peer_protect_scan_and_copy(life_peer *peer, uint64_t pages) {
    unsigned char *page = peer->area + life_page(peer->bytes, 2, 1);
    begin_scan(peer, pages);
    if (mprotect(page, PAGE_BYTES, PROT_READ) != 0)
        return -1;
    double from = bench_clock_ns();
    bool done = mprotect(page, PAGE_BYTES, PROT_READ | PROT_WRITE) == 0 && scan_and_copy(peer);
    return done ? bench_clock_ns() - from : -1;
}

double life_peer_map_and_copy(life_peer *peer, uint64_t pages) {
    double from = bench_clock_ns();
    unsigned char *window = map_anywhere(WINDOW_BYTES);
    for (uint64_t i = 0; window != NULL && i < pages; i++) {
        uint64_t at = life_page(peer->bytes, pages, i);
        memcpy(window + at, peer->saved + at, PAGE_BYTES);
    }
    double ns = bench_clock_ns() - from;
    if (window == NULL)
        return -1;
    munmap(window, WINDOW_BYTES);
    return ns;
}

double life_peer_mprotect_pair(life_peer *peer, uint64_t pages) {
    unsigned char *page = peer->area + life_page(peer->bytes, 2, 1);
    (void)pages;
    *page = 1;
    double from = bench_clock_ns();
    bool done =
        mprotect(page, PAGE_BYTES, PROT_READ) == 0 && mprotect(page, PAGE_BYTES, PROT_READ | PROT_WRITE) == 0;
    return done ? bench_clock_ns() - from : -1;
}

double life_peer_map_all(life_peer *peer, uint64_t pages) {
    (void)pages;
    double from = bench_clock_ns();
    unsigned char *area = map_anywhere(peer->bytes);
    if (area == NULL)
        return -1;
    memcpy(area, peer->saved, peer->bytes);
    double ns = bench_clock_ns() - from;
    munmap(area, peer->bytes);
    return ns;
}

double life_peer_map_write_unmap(life_peer *peer, uint64_t pages) {
    double from = bench_clock_ns();
    unsigned char *area = map_anywhere(peer->bytes);
    if (area == NULL)
        return -1;
    write_pages(area, peer->bytes, pages);
    munmap(area, peer->bytes);
    return bench_clock_ns() - from;
}

double life_peer_fork(life_peer *peer, uint64_t pages) {
    (void)peer;
    (void)pages;
    double from = bench_clock_ns();
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    return child > 0 && waitpid(child, NULL, 0) == child ? bench_clock_ns() - from : -1;
}
