/*
 * Memories that are written, changed, frozen, cloned, reset and destroyed in any order are, byte by byte,
 * what a model says; also where the host has no memory files, no page map, or takes no pages back.
 *
 * RUN: %cc -D_GNU_SOURCE %s -o %t -Wl,--wrap=sysconf,--wrap=mmap,--wrap=munmap,--wrap=mprotect,--wrap=madvise,--wrap=mincore,--wrap=open,--wrap=pread,--wrap=syscall,--wrap=memfd_create %runtime
 * RUN: %t | FileCheck %s
 *
 * CHECK: copy: as the host is
 * CHECK-NEXT: copy: words of the page map
 * CHECK-NEXT: copy: all is swapped
 * CHECK-NEXT: copy: residency
 * CHECK-NEXT: copy: no memory files
 * CHECK-NEXT: copy: no mappings of them
 * CHECK-NEXT: copy: no mappings of zeros
 * CHECK-NEXT: copy: mappings now and then
 * CHECK-NEXT: copy: locked on an old kernel
 * CHECK-NEXT: copy: pages of 64 KiB
 * CHECK-NEXT: copy: pages of 64 KiB, locked
 * CHECK-NEXT: x86_paged: as the host is
 * CHECK-NEXT: x86_paged: words of the page map
 * CHECK-NEXT: x86_paged: all is swapped
 * CHECK-NEXT: x86_paged: residency
 * CHECK-NEXT: x86_paged: no memory files
 * CHECK-NEXT: x86_paged: no mappings of them
 * CHECK-NEXT: x86_paged: no mappings of zeros
 * CHECK-NEXT: x86_paged: mappings now and then
 * CHECK-NEXT: x86_paged: locked on an old kernel
 *
 * Without an operating system, with frames at map and at touch:
 *
 * RUN: %bare-cc -I%S %s -o %t.kernel && %boot %t.kernel | FileCheck %s --check-prefix=BARE
 * RUN: %bare-cc -I%S -DKERNEL_FRAMES=MF_BARE_FRAMES_AT_TOUCH %s -o %t.touch
 * RUN: %boot %t.touch | FileCheck %s --check-prefix=BARE
 *
 * BARE: x86_paged: as the host is
 * BARE-NEXT: all given back
 */
#if __STDC_HOSTED__
#include "copy/strange_host.h"
#else
#include "kernel.h"
#endif
#include "support.h"

/*
 * The last pages of the space, with a heap in the middle. The image has runs that are shared (from LONG_PAGE
 * on, at odd places) and pieces that are not.
 */
enum { PAGES = 128, FIRST_PAGE = (1 << 20) - PAGES, LONG_PAGE = 19, LONG_PAGES = 45 };
enum { HEAP_PAGE = 80, HEAP_PAGES = 20, SECOND_LONG_PAGE = 105, SECOND_LONG_PAGES = 17 };
enum { MEMORIES = 4, IMAGES = 3, STEPS = 260 };

typedef struct state {
    mf_perm perms[PAGES];
    uint8_t bytes[PAGES][MF_PAGE_SIZE];
    uint64_t top;
} state;

typedef struct actor {
    mf_memory *memory;
    state now;
    state created;
} actor;

static actor actors[MEMORIES];
static struct {
    mf_image *image;
    state frozen;
} images[IMAGES];
static mf_layout *layout;
static mf_image *first_image;
static state first_state;
static uint64_t seed;
static actor *a; /* the one whose turn it is */

static uint32_t below(uint32_t limit) {
    return (uint32_t)(next_random(&seed) >> 33) % limit;
}

static uint64_t address_of(size_t page) {
    return (uint64_t)(FIRST_PAGE + page) * PAGE;
}

/* Some pages; now and then many. */
static size_t pick(size_t *count) {
    size_t first = below(PAGES);
    *count = 1 + below(below(4) == 0 ? 60 : 5);
    if (first + *count > PAGES)
        *count = PAGES - first;
    return first;
}

static void set_perms(size_t first, size_t count, mf_perm perm) {
    for (size_t i = first; i < first + count; i++)
        a->now.perms[i] = perm;
}

/* ---- Changes of one memory ---- */

static void map_some(void) {
    uint8_t init[2 * MF_PAGE_SIZE];
    size_t count, first = pick(&count), length = below(2) * below(sizeof init);
    mf_access access = below(2) ? MF_READ_ONLY : MF_READ_WRITE;
    memset(init, 1 + (int)below(255), sizeof init);
    length = length < count * PAGE ? length : count * PAGE;
    expect_ok(mf_memory_map_region(a->memory, address_of(first), count * PAGE, access, init, length, NULL));
    set_perms(first, count, (mf_perm)access);
    memcpy(a->now.bytes[first], init, length);
}

static void protect_some(void) {
    size_t count, first = pick(&count);
    mf_perm perm = (mf_perm)below(3);
    expect_ok(mf_memory_protect(a->memory, address_of(first), count * PAGE, perm, NULL));
    set_perms(first, count, perm);
}

static void unmap_some(void) {
    size_t count, first = pick(&count);
    expect_ok(mf_memory_unmap(a->memory, address_of(first), count * PAGE, NULL));
    set_perms(first, count, MF_PERM_NONE);
    memset(a->now.bytes[first], 0, count * PAGE);
}

/* Zeros are bytes too: a page of an image that was overwritten with them is zero. */
static void fill_some(void) {
    size_t count, first = pick(&count);
    uint32_t at = below(PAGE), length = below((uint32_t)count * PAGE - at);
    uint8_t byte = below(3) == 0 ? 0 : (uint8_t)below(256);
    bool allowed = true;
    for (size_t i = first; length > 0 && i <= first + (at + length - 1) / PAGE; i++)
        allowed = allowed && a->now.perms[i] == MF_PERM_RW;
    expect(mf_memory_fill(a->memory, (uint32_t)address_of(first) + at, byte, length) == allowed);
    if (allowed)
        memset(a->now.bytes[first] + at, byte, length);
}

static void grow_heap(void) {
    uint64_t bytes = below(4 * PAGE), old = 0, end = a->now.top + bytes;
    size_t first = (size_t)((a->now.top + PAGE - 1) / PAGE) - FIRST_PAGE;
    size_t last = (size_t)((end + PAGE - 1) / PAGE) - FIRST_PAGE;
    bool allowed = last <= HEAP_PAGE + HEAP_PAGES;
    for (size_t i = first; allowed && i < last; i++)
        allowed = a->now.perms[i] == MF_PERM_NONE;
    expect(mf_memory_sbrk(a->memory, bytes, &old, NULL) == (allowed ? MF_OK : MF_HEAP_REFUSED));
    if (!allowed)
        return;
    expect(old == a->now.top);
    a->now.top = end;
    set_perms(first, last - first, MF_PERM_RW);
    memset(a->now.bytes[first], 0, (last - first) * PAGE);
}

/* ---- Lives ---- */

static void reset(void) {
    expect_ok(mf_memory_reset(a->memory, NULL));
    a->now = a->created;
}

static void freeze(void) {
    size_t i = below(IMAGES);
    unsigned char *base = mf_memory_view(a->memory)->base;
    mf_image_release(images[i].image);
    expect_ok(mf_memory_freeze(a->memory, &images[i].image, NULL));
    images[i].frozen = a->now;
    expect(mf_memory_view(a->memory)->base == base);
}

/* Long runs that the first image has not. */
static void freeze_more(void) {
    size_t first = 60 + below(8), count = 20 + below(30);
    expect_ok(mf_memory_map_region(a->memory, address_of(first), count * PAGE, MF_READ_WRITE, NULL, 0, NULL));
    expect(mf_memory_fill(a->memory, (uint32_t)address_of(first), 0x77, count * PAGE));
    set_perms(first, count, MF_PERM_RW);
    memset(a->now.bytes[first], 0x77, count * PAGE);
    freeze();
    if (below(2))
        reset();
}

static void become(mf_memory *memory, const state *now, const state *created) {
    mf_memory_destroy(a->memory);
    a->memory = memory;
    if (&a->now != now)
        a->now = *now;
    if (&a->created != created)
        a->created = *created;
}

static void clone_another(void) {
    actor *from = &actors[below(MEMORIES)];
    mf_memory *clone;
    expect_ok(mf_memory_clone(from->memory, &clone, NULL));
    become(clone, &from->now, &from->created);
}

static mf_memory *memory_from(const mf_layout *of, const mf_image *image) {
    mf_memory *memory;
    expect_ok(mf_memory_create(of, image, backend, &memory, NULL));
    return memory;
}

static void begin_frozen(void) {
    size_t i = below(IMAGES);
    if (images[i].image != NULL)
        become(memory_from(NULL, images[i].image), &images[i].frozen, &images[i].frozen);
}

/* The bytes of the image on pages of the first layout. */
static void begin_with_bytes(void) {
    static state mixed;
    size_t i = below(IMAGES);
    if (images[i].image == NULL)
        return;
    mixed = first_state;
    memcpy(mixed.bytes, images[i].frozen.bytes, sizeof mixed.bytes);
    become(memory_from(layout, images[i].image), &mixed, &mixed);
}

static void begin_first(void) {
    become(memory_from(layout, first_image), &first_state, &first_state);
}

/* ---- Comparison ---- */

static void expect_bytes(mf_memory *memory, const state *s, bool hidden) {
    static uint8_t bytes[MF_PAGE_SIZE];
    for (size_t i = 0; i < PAGES; i++) {
        expect(hidden || mf_memory_perm_of(memory, (uint32_t)address_of(i)) == s->perms[i]);
        if (hidden || s->perms[i] != MF_PERM_NONE) {
            expect(mf_memory_read(memory, (uint32_t)address_of(i), bytes, PAGE));
            expect(memcmp(bytes, s->bytes[i], PAGE) == 0);
        }
    }
    expect(mf_memory_heap_top(memory) == s->top);
    expect(mf_memory_heap_base(memory) == address_of(HEAP_PAGE));
}

/* The layout that the memory names is that of its pages. */
static void expect_layout(mf_memory *memory, const state *s) {
    mf_layout *live;
    expect_ok(mf_memory_layout(memory, &live, NULL));
    mf_heap heap = mf_layout_heap(live);
    for (size_t i = 0; i < PAGES; i++) {
        bool is_heap = address_of(i) >= heap.base && address_of(i) < s->top;
        mf_perm perm = mf_layout_perm_of(live, (uint32_t)address_of(i));
        expect(is_heap ? perm == MF_PERM_NONE && s->perms[i] == MF_PERM_RW : perm == s->perms[i]);
    }
    mf_layout_release(live);
}

/* In a clone, so that the memory stays as it is. */
static void expect_hidden_bytes(const actor *of) {
    mf_memory *clone;
    expect_ok(mf_memory_clone(of->memory, &clone, NULL));
    expect_ok(mf_memory_protect(clone, address_of(0), PAGES * PAGE, MF_PERM_RO, NULL));
    expect_bytes(clone, &of->now, true);
    expect_ok(mf_memory_reset(clone, NULL));
    expect_bytes(clone, &of->created, false);
    mf_memory_destroy(clone);
}

/* ---- Rounds ---- */

static void describe(void) {
    static const struct {
        size_t first, count;
        mf_access access;
        size_t bytes;
    } regions[] = {{2, 3, MF_READ_ONLY, PAGE + 77},
                   {8, 6, MF_READ_WRITE, 2 * PAGE},
                   {LONG_PAGE, 20, MF_READ_ONLY, 20 * PAGE},
                   {LONG_PAGE + 20, LONG_PAGES - 20, MF_READ_WRITE, (LONG_PAGES - 20) * PAGE - 1},
                   {70, 4, MF_READ_WRITE, 0},
                   {SECOND_LONG_PAGE, SECOND_LONG_PAGES, MF_READ_WRITE, SECOND_LONG_PAGES * PAGE}};
    mf_layout_builder *builder = mf_layout_builder_create();
    first_state.top = address_of(HEAP_PAGE);
    for (size_t r = 0; r < sizeof regions / sizeof regions[0]; r++) {
        uint8_t *bytes = first_state.bytes[regions[r].first];
        for (size_t i = 0; i < regions[r].bytes; i++)
            bytes[i] = (uint8_t)(i / 7 + r);
        for (size_t i = 0; i < regions[r].count; i++)
            first_state.perms[regions[r].first + i] = (mf_perm)regions[r].access;
        expect_ok(mf_layout_builder_map_region(builder, address_of(regions[r].first), regions[r].count * PAGE,
                                               regions[r].access, bytes, regions[r].bytes, NULL));
    }
    memset(first_state.bytes[HEAP_PAGE + 2], 0x68, 9);
    expect_ok(mf_layout_builder_set_bytes(builder, address_of(HEAP_PAGE + 2), "hhhhhhhhh", 9, NULL));
    expect_ok(mf_layout_builder_set_heap(builder, address_of(HEAP_PAGE), HEAP_PAGES, NULL));
    expect_ok(mf_layout_builder_finish(builder, &layout, &first_image, NULL));
    mf_layout_builder_destroy(builder);
}

static void begin(void) {
    describe();
    for (size_t i = 0; i < MEMORIES; i++) {
        a = &actors[i];
        begin_first();
    }
}

static void end(void) {
    for (size_t i = 0; i < IMAGES; i++) {
        mf_image_release(images[i].image);
        images[i].image = NULL;
    }
    for (size_t i = 0; i < MEMORIES; i++) {
        expect_hidden_bytes(&actors[i]);
        mf_memory_destroy(actors[i].memory);
        actors[i].memory = NULL;
    }
    mf_layout_release(layout);
    mf_image_release(first_image);
}

#if __STDC_HOSTED__
static void be_moody(const char *name) {
    if (strcmp(name, "mappings now and then") == 0) {
        host.refuses_mappings = below(3) == 0;
        host.refuses_zeros = below(3) == 0;
    }
}
#else
static void be_moody(const char *name) {
    (void)name;
}
#endif

static void run(const char *name) {
    static void (*const changes[])(void) = {map_some,  protect_some, protect_some, unmap_some,
                                            fill_some, fill_some,    fill_some,    grow_heap};
    static void (*const lives[])(void) = {reset,         reset,        freeze,           freeze_more,
                                          clone_another, begin_frozen, begin_with_bytes, begin_first};
    memset(&first_state, 0, sizeof first_state);
    seed = 0x9e3779b97f4a7c15;
    begin();
    for (int i = 0; i < STEPS; i++) {
        a = &actors[below(MEMORIES)];
        be_moody(name);
        (below(3) == 0 ? lives : changes)[below(8)]();
        expect_bytes(a->memory, &a->now, false);
        if (i % 8 == 0) {
            expect_layout(a->memory, &a->now);
            expect_hidden_bytes(&actors[below(MEMORIES)]);
        }
    }
    end();
    printf("%s: %s\n", backend == MF_BACKEND_COPY ? "copy" : "x86_paged", name);
    fflush(stdout);
}

#if __STDC_HOSTED__
static const strange_host hosts[] = {
    {.name = "as the host is"},
    {.name = "words of the page map", .lists_no_runs = true},
    {.name = "all is swapped", .lists_no_runs = true, .swaps_all = true},
    {.name = "residency", .has_no_page_map = true},
    {.name = "no memory files", .has_no_memory_files = true},
    {.name = "no mappings of them", .refuses_mappings = true},
    {.name = "no mappings of zeros", .refuses_zeros = true},
    {.name = "mappings now and then"},
    {.name = "locked on an old kernel", .refuses_drop = true, .refuses_locked = true, .lists_no_runs = true},
    {.name = "pages of 64 KiB", .page_bytes = 65536},
    {.name = "pages of 64 KiB, locked", .page_bytes = 65536, .refuses_drop = true, .refuses_locked = true},
};

int main(void) {
    for (size_t b = 0; b < BACKEND_COUNT; b++) {
        backend = BACKENDS[b].backend;
        for (size_t h = 0; h < sizeof hosts / sizeof hosts[0]; h++) {
            host = hosts[h];
            if (host.page_bytes == 0)
                host.page_bytes = REAL_PAGE_BYTES;
            else if (backend == MF_BACKEND_X86_PAGED)
                continue;
            run(host.name);
        }
    }
    return 0;
}
#else
int main(void) {
    backend = MF_BACKEND_X86_PAGED;
    run("as the host is");
    expect(kernel.frames_taken == 0 && kernel.reservations == 0 && kernel.objects == 0);
    puts("all given back");
    return 0;
}
#endif
