/*
 * On hosts with pages of 4, 16 and 64 KiB every byte beside a change stays, however the host answers:
 * memories are compared with a model after each of many random changes.
 *
 * RUN: %cc -D_GNU_SOURCE %s -o %t -Wl,--wrap=sysconf,--wrap=mmap,--wrap=munmap,--wrap=mprotect,--wrap=madvise,--wrap=mincore,--wrap=open,--wrap=pread,--wrap=syscall,--wrap=memfd_create %runtime
 * RUN: %t | FileCheck %s
 *
 * CHECK: pages of 4096 bytes: page map
 * CHECK-NEXT: pages of 4096 bytes: words of the page map
 * CHECK-NEXT: pages of 4096 bytes: residency
 * CHECK-NEXT: pages of 4096 bytes: no answer
 * CHECK-NEXT: pages of 4096 bytes: locked
 * CHECK-NEXT: pages of 4096 bytes: locked on an old kernel
 * CHECK-NEXT: pages of 4096 bytes: another page size is told
 * CHECK-NEXT: pages of 16384 bytes: page map
 * CHECK: pages of 16384 bytes: locked on an old kernel
 * CHECK-NEXT: pages of 16384 bytes: another page size is told
 * CHECK-NEXT: pages of 65536 bytes: page map
 * CHECK: pages of 65536 bytes: locked on an old kernel
 * CHECK-NEXT: pages of 65536 bytes: another page size is told
 * CHECK-NEXT: the paged backend needs pages of 4096 bytes
 */
#include "../support.h"
#include "strange_host.h"

/* Model pages: LOW_PAGES at guest address 0, the others at the end of the space. */
enum { LOW_PAGES = 64, PAGES = 80, HEAP_PAGE = 32, HEAP_PAGES = 24, STEPS = 200 };

typedef struct model {
    mf_perm perms[PAGES];
    uint8_t bytes[PAGES][MF_PAGE_SIZE];
    uint64_t top;
} model;

static model live, created;
static mf_memory *memory;
static size_t page_count;
static uint64_t seed;

static uint32_t below(uint32_t limit) {
    return (uint32_t)(next_random(&seed) >> 33) % limit;
}

static uint32_t address_of(size_t page) {
    return (uint32_t)(page < LOW_PAGES ? page * PAGE : TOP - (PAGES - page) * PAGE);
}

/* Some pages that follow each other in the guest. */
static size_t pick(size_t *count) {
    size_t first = below((uint32_t)page_count);
    size_t end = first < LOW_PAGES ? LOW_PAGES : PAGES;
    *count = 1 + below(9);
    if (first + *count > end)
        *count = end - first;
    return first;
}

static void set_perms(size_t first, size_t count, mf_perm perm) {
    for (size_t i = first; i < first + count; i++)
        live.perms[i] = perm;
}

static void map_some(void) {
    uint8_t init[2 * MF_PAGE_SIZE];
    size_t count, first = pick(&count), length = below(2) * below(sizeof init);
    mf_access access = below(2) ? MF_READ_ONLY : MF_READ_WRITE;
    memset(init, 1 + (int)below(255), sizeof init);
    expect_ok(mf_memory_map_region(memory, address_of(first), count * PAGE, access, init, length, NULL));
    set_perms(first, count, (mf_perm)access);
    memcpy(live.bytes[first], init, length < count * PAGE ? length : count * PAGE);
}

static void protect_some(void) {
    size_t count, first = pick(&count);
    mf_perm perm = (mf_perm)below(3);
    expect_ok(mf_memory_protect(memory, address_of(first), count * PAGE, perm, NULL));
    set_perms(first, count, perm);
}

static void unmap_some(void) {
    size_t count, first = pick(&count);
    expect_ok(mf_memory_unmap(memory, address_of(first), count * PAGE, NULL));
    set_perms(first, count, MF_PERM_NONE);
    memset(live.bytes[first], 0, count * PAGE);
}

static void fill_some(void) {
    size_t count, first = pick(&count);
    uint32_t at = below(PAGE), length = below((uint32_t)count * PAGE - at);
    uint8_t byte = (uint8_t)below(256);
    bool allowed = true;
    for (size_t i = first; length > 0 && i <= first + (at + length - 1) / PAGE; i++)
        allowed = allowed && live.perms[i] == MF_PERM_RW;
    expect(mf_memory_fill(memory, address_of(first) + at, byte, length) == allowed);
    if (allowed)
        memset(live.bytes[first] + at, byte, length);
}

static void grow_heap(void) {
    uint64_t bytes = below(3 * PAGE), old = 0, end = live.top + bytes;
    size_t first = (size_t)((live.top + PAGE - 1) / PAGE), last = (size_t)((end + PAGE - 1) / PAGE);
    bool allowed = last <= HEAP_PAGE + HEAP_PAGES;
    for (size_t i = first; allowed && i < last; i++)
        allowed = live.perms[i] == MF_PERM_NONE;
    expect(mf_memory_sbrk(memory, bytes, &old, NULL) == (allowed ? MF_OK : MF_HEAP_REFUSED));
    if (!allowed)
        return;
    expect(old == live.top);
    live.top = end;
    set_perms(first, last - first, MF_PERM_RW);
    memset(live.bytes[first], 0, (last - first) * PAGE);
}

static void reset_or_clone(void) {
    if (below(2)) {
        expect_ok(mf_memory_reset(memory, NULL));
        live = created;
    } else {
        mf_memory *clone;
        expect_ok(mf_memory_clone(memory, &clone, NULL));
        mf_memory_destroy(memory);
        memory = clone;
    }
}

static void expect_as_model(void) {
    static uint8_t bytes[MF_PAGE_SIZE];
    for (size_t i = 0; i < page_count; i++) {
        expect(mf_memory_perm_of(memory, address_of(i)) == live.perms[i]);
        if (live.perms[i] != MF_PERM_NONE) {
            expect(mf_memory_read(memory, address_of(i), bytes, PAGE));
            expect(memcmp(bytes, live.bytes[i], PAGE) == 0);
        }
    }
}

/* Read-only pages with bytes beside the heap, one page at a time; bytes in a page without permission. */
static void begin(void) {
    mf_layout_builder *builder = mf_layout_builder_create();
    mf_layout *layout;
    mf_image *image;
    memset(&live, 0, sizeof live);
    live.top = HEAP_PAGE * PAGE;
    for (size_t i = 1; i < page_count; i += i == HEAP_PAGE - 1 ? HEAP_PAGES + 2 : 3) {
        mf_access access = i % 2 ? MF_READ_ONLY : MF_READ_WRITE;
        memset(live.bytes[i], (int)i, 100);
        live.perms[i] = (mf_perm)access;
        expect_ok(
            mf_layout_builder_map_region(builder, address_of(i), PAGE, access, live.bytes[i], 100, NULL));
    }
    memset(live.bytes[2], 9, 7);
    expect_ok(mf_layout_builder_set_bytes(builder, address_of(2), live.bytes[2], 7, NULL));
    expect_ok(mf_layout_builder_set_heap(builder, HEAP_PAGE * PAGE, HEAP_PAGES, NULL));
    expect_ok(mf_layout_builder_finish(builder, &layout, &image, NULL));
    expect_ok(mf_memory_create(layout, image, MF_BACKEND_COPY, &memory, NULL));
    mf_layout_builder_destroy(builder);
    mf_layout_release(layout);
    mf_image_release(image);
    created = live;
}

static void compare(void) {
    static void (*const changes[])(void) = {map_some,  protect_some, unmap_some, unmap_some,
                                            fill_some, fill_some,    fill_some,  grow_heap};
    seed = 0x9e3779b97f4a7c15;
    /* Where the host knows nothing, what lies below the top is read as a whole. */
    page_count = host.has_no_residency ? LOW_PAGES : PAGES;
    begin();
    expect_as_model();
    for (int i = 0; i < STEPS; i++) {
        if (i % 20 == 19)
            reset_or_clone();
        else
            changes[below(8)]();
        expect_as_model();
    }
    mf_memory_destroy(memory);
    printf("pages of %zu bytes: %s\n", host.page_bytes, host.name);
    fflush(stdout);
}

static const strange_host hosts[] = {
    {.name = "page map"},
    {.name = "words of the page map", .lists_no_runs = true},
    {.name = "residency", .has_no_page_map = true},
    {.name = "no answer",
     .has_no_page_map = true,
     .has_no_residency = true,
     .refuses_drop = true,
     .refuses_locked = true},
    {.name = "locked", .refuses_drop = true},
    {.name = "locked on an old kernel", .refuses_drop = true, .refuses_locked = true, .lists_no_runs = true},
    {.name = "another page size is told", .tells_small_pages = true},
};

int main(void) {
    static const size_t sizes[] = {4096, 16384, 65536};
    for (size_t s = 0; s < 3; s++) {
        for (size_t h = 0; h < sizeof hosts / sizeof hosts[0]; h++) {
            host = hosts[h];
            host.page_bytes = sizes[s];
            compare();
        }
    }
    mf_diag diag = {0};
    host.tells_small_pages = false;
    expect(mf_memory_create(NULL, NULL, MF_BACKEND_X86_PAGED, &memory, &diag) == MF_INVALID_ARGUMENT);
    expect(diag.value == MF_BACKEND_X86_PAGED && strstr(diag.message, "65536") != NULL);
    puts("the paged backend needs pages of 4096 bytes");
    return 0;
}
