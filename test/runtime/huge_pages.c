/*
 * Runs of 2 MiB and more may use huge pages of the host, others and forbidden ones do not. The base is
 * aligned, and a memory with many small regions costs what is touched.
 *
 * RUN: %cc -D_GNU_SOURCE %s -o %t %runtime && %t | FileCheck %s
 *
 * CHECK: copy: used where a block is full
 * CHECK-NEXT: copy: an open end
 * CHECK-NEXT: copy: never
 * CHECK-NEXT: copy: small regions
 * CHECK-NEXT: copy: grown together
 * CHECK-NEXT: copy: a clone of few bytes
 * CHECK-NEXT: x86_paged: used where a block is full
 * CHECK-NEXT: x86_paged: an open end
 * CHECK-NEXT: x86_paged: never
 * CHECK-NEXT: x86_paged: small regions
 * CHECK-NEXT: x86_paged: grown together
 * CHECK-NEXT: x86_paged: a clone of few bytes
 */
#include "support.h"

#define BLOCK (UINT64_C(2) << 20)

/* What the kernel says about the host pages of guest indices [start, end). */
typedef struct huge_use {
    uint64_t resident_bytes;
    uint64_t huge_bytes;
    bool is_advised; /* all mappings there */
} huge_use;

static huge_use use_of(mf_memory *m, uint64_t start, uint64_t end) {
    uint64_t base = (uint64_t)(uintptr_t)mf_memory_view(m)->base;
    FILE *maps = fopen("/proc/self/smaps", "r");
    char line[512];
    unsigned long low, high, kilobytes;
    bool inside = false;
    huge_use use = {0, 0, true};
    expect(maps != NULL);
    while (fgets(line, sizeof line, maps) != NULL)
        if (sscanf(line, "%lx-%lx", &low, &high) == 2)
            inside = high > base + start && low < base + end;
        else if (inside && sscanf(line, "Rss: %lu", &kilobytes) == 1)
            use.resident_bytes += kilobytes << 10;
        else if (inside && sscanf(line, "AnonHugePages: %lu", &kilobytes) == 1)
            use.huge_bytes += kilobytes << 10;
        else if (inside && strncmp(line, "VmFlags:", 8) == 0)
            use.is_advised = use.is_advised && strstr(line, " hg") != NULL;
    fclose(maps);
    return use;
}

/* "never": the kernel does not follow the advice; "always": it does not wait for it. */
static bool kernel_says(const char *word) {
    char line[64] = "";
    FILE *file = fopen("/sys/kernel/mm/transparent_hugepage/enabled", "r");
    if (file == NULL)
        return strcmp(word, "[never]") == 0;
    expect(fgets(line, sizeof line, file) != NULL);
    fclose(file);
    return strstr(line, word) != NULL;
}

static void touch_every_page(mf_memory *m, uint64_t start, uint64_t end) {
    for (uint64_t at = start; at < end; at += PAGE)
        set_byte(m, (uint32_t)at, 1);
}

static mf_memory *memory_with(mf_huge_pages huge_pages, const mf_region *regions, size_t count) {
    mf_layout *layout = layout_of(regions, count, (mf_heap){0});
    mf_memory *m;
    mf_memory_config config = {.backend = backend, .huge_pages = huge_pages};
    expect_ok(mf_memory_create_with(layout, NULL, &config, &m, NULL));
    mf_layout_release(layout);
    return m;
}

/* The region ends in the middle of blocks on both sides; a clone is made alike. */
static void used_where_full(void) {
    const mf_region region = {BLOCK / 2, 16 * BLOCK, MF_READ_WRITE};
    mf_memory *m = memory_with(MF_HUGE_PAGES_ALLOWED, &region, 1), *clone;
    expect((uintptr_t)mf_memory_view(m)->base % BLOCK == 0);
    touch_every_page(m, region.start, region.start + region.size);
    expect_ok(mf_memory_clone(m, &clone, NULL));
    expect(memcmp(mf_memory_view(m)->base + region.start, mf_memory_view(clone)->base + region.start,
                  region.size) == 0);
    mf_memory *both[] = {m, clone};
    for (int i = 0; i < 2; i++) {
        huge_use use = use_of(both[i], BLOCK, 16 * BLOCK);
        expect(use.is_advised && (use.huge_bytes >= 8 * BLOCK || kernel_says("[never]")));
        expect(use_of(both[i], 0, TOP).resident_bytes <= 17 * BLOCK);
        mf_memory_destroy(both[i]);
    }
    printf("%s: used where a block is full\n", BACKENDS[backend].name);
}

/* The first block is full and the last has one page: nothing makes the last one huge. */
static void open_end(void) {
    const mf_region region = {0, 4 * BLOCK + PAGE, MF_READ_WRITE};
    mf_memory *m = memory_with(MF_HUGE_PAGES_ALLOWED, &region, 1);
    touch_every_page(m, 0, region.size);
    expect(use_of(m, 0, 4 * BLOCK).is_advised);
    expect(kernel_says("[always]") || use_of(m, 0, TOP).resident_bytes == region.size);
    mf_memory_destroy(m);
    printf("%s: an open end\n", BACKENDS[backend].name);
}

static void never_used(void) {
    const mf_region region = {0, 16 * BLOCK, MF_READ_WRITE};
    mf_memory *m = memory_with(MF_HUGE_PAGES_NEVER, &region, 1), *clone;
    touch_every_page(m, 0, region.size);
    expect_ok(mf_memory_clone(m, &clone, NULL));
    mf_memory *both[] = {m, clone};
    for (int i = 0; i < 2; i++) {
        huge_use use = use_of(both[i], 0, 16 * BLOCK);
        expect(!use.is_advised && (use.huge_bytes == 0 || kernel_says("[always]")));
        mf_memory_destroy(both[i]);
    }
    mf_diag diag;
    mf_memory_config config = {.backend = backend, .huge_pages = (mf_huge_pages)2};
    expect(mf_memory_create_with(NULL, NULL, &config, &m, &diag) == MF_INVALID_ARGUMENT && diag.value == 2);
    printf("%s: never\n", BACKENDS[backend].name);
}

static void small_regions(void) {
    enum { REGIONS = 512 };
    static mf_region regions[REGIONS];
    for (uint32_t i = 0; i < REGIONS; i++)
        regions[i] = (mf_region){i * BLOCK, i % 2 ? PAGE : BLOCK - PAGE, MF_READ_WRITE};
    mf_memory *m = memory_with(MF_HUGE_PAGES_ALLOWED, regions, REGIONS);
    for (uint32_t i = 0; i < REGIONS; i++)
        set_byte(m, (uint32_t)(i * BLOCK), 1);
    huge_use use = use_of(m, 0, TOP);
    expect(kernel_says("[always]") || (use.huge_bytes == 0 && use.resident_bytes == REGIONS * PAGE));
    mf_memory_destroy(m);
    printf("%s: small regions\n", BACKENDS[backend].name);
}

/* Pages that come one by one, by sbrk and by map_region, fill blocks together. */
static void grown_together(void) {
    mf_memory *m = memory_of(NULL, 0, (mf_heap){0, 8 * BLOCK / MF_PAGE_SIZE});
    uint64_t old;
    for (uint64_t grown = 0; grown < 8 * BLOCK; grown += 64 * PAGE)
        expect_ok(mf_memory_sbrk(m, 64 * PAGE, &old, NULL));
    expect_ok(mf_memory_map_region(m, 9 * BLOCK, BLOCK, MF_READ_WRITE, NULL, 0, NULL));
    expect_ok(mf_memory_map_region(m, 8 * BLOCK, BLOCK, MF_READ_WRITE, NULL, 0, NULL));
    touch_every_page(m, 0, 10 * BLOCK);
    huge_use use = use_of(m, 0, 10 * BLOCK);
    expect(use.is_advised && (use.huge_bytes >= 5 * BLOCK || kernel_says("[never]")));
    mf_memory_destroy(m);
    printf("%s: grown together\n", BACKENDS[backend].name);
}

/*
 * Of huge pages in which few pages have bytes the clone has those alone, and may have huge pages there as
 * well; full ones are huge in the clone. 33 pages are no longer few.
 */
static void clone_of_few_bytes(void) {
    enum { BLOCKS = 16, FULL = 8 };
    const mf_region region = {0, BLOCKS * BLOCK, MF_READ_WRITE};
    mf_memory *m = memory_with(MF_HUGE_PAGES_ALLOWED, &region, 1), *clone;
    for (uint32_t block = 0; block < BLOCKS; block++) {
        uint32_t pages = block < FULL ? 512 : block == FULL ? 33 : block == FULL + 1 ? 32 : block - FULL;
        for (uint32_t i = 0; i < pages; i++)
            set_byte(m, (uint32_t)(block * BLOCK) + (512 / pages) * i * PAGE + PAGE - 1,
                     (uint8_t)(block + 1));
    }
    set_byte(m, BLOCKS * BLOCK - 1, 99);
    expect_ok(mf_memory_clone(m, &clone, NULL));
    expect(memcmp(mf_memory_view(m)->base, mf_memory_view(clone)->base, BLOCKS * BLOCK) == 0);
    huge_use use = use_of(clone, 0, TOP);
    expect(use_of(clone, 0, BLOCKS * BLOCK).is_advised);
    expect(use.huge_bytes >= FULL / 2 * BLOCK || kernel_says("[never]"));
    mf_memory_destroy(clone);
    expect_ok(mf_memory_clone(m, &clone, NULL));
    expect(use_of(clone, 0, TOP).resident_bytes <= (FULL + 1) * BLOCK + 7 * 32 * PAGE ||
           kernel_says("[always]"));
    for (uint32_t block = 0; block < BLOCKS; block++)
        expect(mf_memory_fill(clone, (uint32_t)(block * BLOCK), 7, BLOCK / 2));
    mf_memory_destroy(m);
    mf_memory_destroy(clone);
    printf("%s: a clone of few bytes\n", BACKENDS[backend].name);
}

static void check_all(void) {
    used_where_full();
    open_end();
    never_used();
    small_regions();
    grown_together();
    clone_of_few_bytes();
}

int main(void) {
    run_on_every_backend(check_all);
    return 0;
}
