/*
 * Pools: what is handed out is as mf_memory_create or mf_memory_clone makes it, whatever the guest before has
 * done; how much is kept; threads; and fork.
 *
 * RUN: %cc -D_GNU_SOURCE %s -o %t %runtime && %t | FileCheck %s
 *
 * CHECK: the same memory again
 * CHECK-NEXT: limits_of_a_pool
 * CHECK-NEXT: other_configurations
 * CHECK-NEXT: states_of_images
 * CHECK-NEXT: beginnings_with_a_used_up_heap
 * CHECK-NEXT: clones
 * CHECK-NEXT: clones_with_hidden_bytes
 * CHECK-NEXT: clones_of_others
 * CHECK-NEXT: clones_of_large_memories
 * CHECK-NEXT: nothing survives
 * CHECK-NEXT: threads
 * CHECK-NEXT: forks
 * CHECK-NEXT: on copy
 * CHECK-NEXT: on x86_paged
 */
#include "x86_paged/linux/host.h"

#include <memfold/pool.h>

#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

static mf_pool *pool_of(mf_pool_config config) {
    mf_pool *pool;
    mf_memory_config memory = config.memory != NULL ? *config.memory : (mf_memory_config){0};
    memory.backend = backend;
    config.memory = &memory;
    expect_ok(mf_pool_create(&config, &pool, NULL));
    return pool;
}

static mf_memory *take(mf_pool *pool, const mf_layout *layout, const mf_image *image) {
    mf_memory *memory = NULL;
    expect_ok(mf_pool_take(pool, layout, image, &memory, NULL));
    return memory;
}

/* ---- One guest after the other -------------------------------------------------------------- */

static void same_again(void) {
    mf_pool *pool = pool_of((mf_pool_config){0});
    mf_layout *layout = layout_of(&(mf_region){PAGE, 4 * PAGE, MF_READ_WRITE}, 1, (mf_heap){8 * PAGE, 4});
    mf_layout *equal = layout_of(&(mf_region){PAGE, 4 * PAGE, MF_READ_WRITE}, 1, (mf_heap){8 * PAGE, 4});
    mf_memory *first = take(pool, layout, NULL);
    uint64_t stamp = mf_memory_view(first)->layout_stamp, top;
    set_byte(first, 2 * PAGE, 7);
    expect(!mf_memory_fill(first, 0, 1, 1) && mf_memory_last_fault(first).kind != 0);
    expect_ok(mf_memory_sbrk(first, 5, &top, NULL));
    set_byte(first, 8 * PAGE, 8);
    expect_ok(mf_memory_protect(first, PAGE, PAGE, MF_PERM_RO, NULL));
    mf_pool_give(pool, first);
    expect(mf_pool_count(pool).memories == 1 && mf_pool_count(pool).resident_bytes > 0);
    mf_memory *again = take(pool, equal, NULL);
    expect(again == first && mf_pool_count(pool).memories == 0 && mf_pool_count(pool).resident_bytes == 0);
    expect(mf_memory_view(again)->layout_stamp == stamp && mf_memory_last_fault(again).kind == 0);
    expect(byte_at(again, 2 * PAGE) == 0 && mf_memory_heap_top(again) == 8 * PAGE);
    expect(mf_memory_perm_of(again, PAGE) == MF_PERM_RW &&
           mf_memory_perm_of(again, 8 * PAGE) == MF_PERM_NONE);
    mf_memory *other = take(pool, layout, NULL);
    expect(other != again);
    mf_pool_give(pool, other);
    mf_pool_give(pool, NULL);
    mf_pool_destroy(pool);
    set_byte(again, PAGE, 1);
    mf_memory_destroy(again);
    mf_layout_release(layout);
    mf_layout_release(equal);
}

static void limits_of_a_pool(void) {
    mf_memory *some[4];
    mf_layout *layout = layout_of(&(mf_region){0, 1 << 20, MF_READ_WRITE}, 1, (mf_heap){0});
    mf_pool *few = pool_of((mf_pool_config){.max_memories = 2});
    mf_pool *small = pool_of((mf_pool_config){.max_resident_bytes = 1 << 21});
    for (int i = 0; i < 4; i++)
        some[i] = take(few, layout, NULL);
    for (int i = 0; i < 4; i++)
        mf_pool_give(few, some[i]);
    expect(mf_pool_count(few).memories == 2);
    for (int i = 0; i < 4; i++) {
        some[i] = take(few, layout, NULL);
        expect(mf_memory_fill(some[i], 0, 1, 1 << 20));
    }
    for (int i = 0; i < 4; i++)
        mf_pool_give(small, some[i]);
    expect(mf_pool_count(small).memories == 1 && mf_pool_count(small).resident_bytes >= 1 << 20);
    expect(mf_pool_count(few).memories == 0);
    mf_pool_trim(small);
    expect(mf_pool_count(small).memories == 0 && mf_pool_count(small).resident_bytes == 0);
    mf_pool_destroy(few);
    mf_pool_destroy(small);
    mf_pool_destroy(NULL);
    mf_layout_release(layout);
}

/* Welcome from anywhere, if it is such a memory as the pool makes. */
static void other_configurations(void) {
    mf_pool *pool = pool_of(
        (mf_pool_config){.memory = &(mf_memory_config){.index = MF_MEMORY_U32, .max_bytes = 1 << 20}});
    mf_memory_config config = {.backend = backend, .index = MF_MEMORY_U32, .max_bytes = 1 << 20};
    mf_layout *high = layout_of(&(mf_region){1 << 20, PAGE, MF_READ_WRITE}, 1, (mf_heap){0});
    mf_memory *memory;
    mf_diag diag;
    expect_ok(mf_memory_create_with(NULL, NULL, &config, &memory, NULL));
    mf_pool_give(pool, memory);
    expect(mf_pool_count(pool).memories == 1);
    config.max_bytes = 2 << 20;
    expect_ok(mf_memory_create_with(NULL, NULL, &config, &memory, NULL));
    mf_pool_give(pool, memory);
    expect(mf_pool_count(pool).memories == 1);
    expect(mf_pool_take(pool, high, NULL, &memory, &diag) == MF_OVERFLOW && diag.value == (1 << 20) + PAGE);
    memory = take(pool, NULL, NULL);
    expect(mf_memory_index_of(memory) == MF_MEMORY_U32 && mf_memory_len(memory) == 0);
    expect(mf_memory_map_region(memory, 0, 2 << 20, MF_READ_ONLY, NULL, 0, NULL) == MF_OVERFLOW);
    mf_pool_give(pool, memory);
    mf_pool_destroy(pool);
    mf_layout_release(high);
}

/* A frozen memory's image is a state of its own, beside the same bytes with its layout. */
static void states_of_images(void) {
    mf_pool *pool = pool_of((mf_pool_config){0});
    mf_layout *layout = layout_of(&(mf_region){0, 32 * PAGE, MF_READ_WRITE}, 1, (mf_heap){64 * PAGE, 4});
    mf_memory *memory = take(pool, layout, NULL);
    mf_image *image;
    uint64_t top;
    expect_ok(mf_memory_sbrk(memory, PAGE, &top, NULL));
    expect(mf_memory_fill(memory, 0, 3, 32 * PAGE) && mf_memory_fill(memory, 64 * PAGE, 4, PAGE));
    expect_ok(mf_memory_freeze(memory, &image, NULL));
    mf_pool_give(pool, memory);
    for (int i = 0; i < 6; i++) {
        bool is_state = i % 2 == 0;
        memory = take(pool, is_state ? NULL : layout, i == 5 ? NULL : image);
        expect(mf_memory_heap_top(memory) == (is_state ? 65 * PAGE : 64 * PAGE));
        expect(byte_at(memory, 32 * PAGE - 1) == (i == 5 ? 0 : 3));
        expect(is_state ? byte_at(memory, 65 * PAGE - 1) == 4
                        : mf_memory_perm_of(memory, 64 * PAGE) == MF_PERM_NONE);
        expect(mf_memory_fill(memory, 0, 9, 32 * PAGE));
        mf_pool_give(pool, memory);
    }
    mf_pool_destroy(pool);
    mf_image_release(image);
    mf_layout_release(layout);
}

/*
 * A heap that has been used up to the top of the space, and has lost a page, is none in the layout: that and
 * the image make another beginning than what was frozen.
 */
static void used_up_heap(void) {
    mf_pool *pool = pool_of((mf_pool_config){0});
    mf_layout *first = layout_of(NULL, 0, (mf_heap){UINT32_MAX - 4 * PAGE + 1, 4});
    mf_memory *memory = take(pool, first, NULL);
    mf_layout *layout;
    mf_image *image;
    uint64_t top;
    expect_ok(mf_memory_sbrk(memory, 4 * PAGE, &top, NULL));
    expect(mf_memory_fill(memory, UINT32_MAX, 3, 1));
    expect_ok(mf_memory_protect(memory, TOP - PAGE, PAGE, MF_PERM_RO, NULL));
    expect_ok(mf_memory_layout(memory, &layout, NULL));
    expect_ok(mf_memory_freeze(memory, &image, NULL));
    mf_memory_destroy(memory);
    mf_pool_give(pool, take(pool, layout, image));
    memory = take(pool, NULL, image);
    expect(mf_memory_heap_top(memory) == TOP && mf_memory_heap_base(memory) == TOP - 4 * PAGE);
    mf_memory_destroy(memory);
    mf_pool_destroy(pool);
    mf_image_release(image);
    mf_layout_release(layout);
    mf_layout_release(first);
}

/* ---- Clones --------------------------------------------------------------------------------- */

static mf_memory *clone_from(mf_pool *pool, const mf_memory *memory) {
    mf_memory *clone = NULL;
    expect_ok(mf_pool_clone(pool, memory, &clone, NULL));
    return clone;
}

/* One that is kept becomes the clone, and goes back to where both began. */
static void clones(void) {
    mf_pool *pool = pool_of((mf_pool_config){0});
    mf_layout *layout = layout_of(&(mf_region){PAGE, 8 * PAGE, MF_READ_WRITE}, 1, (mf_heap){16 * PAGE, 4});
    mf_memory *prepared = take(pool, layout, NULL);
    mf_memory *kept = take(pool, layout, NULL);
    uint64_t top;
    expect(mf_memory_fill(kept, PAGE, 9, 8 * PAGE));
    mf_pool_give(pool, kept);
    set_byte(prepared, PAGE, 1);
    set_byte(prepared, 9 * PAGE - 1, 2);
    expect_ok(mf_memory_sbrk(prepared, PAGE + 1, &top, NULL));
    set_byte(prepared, 18 * PAGE - 1, 3);
    expect_ok(mf_memory_protect(prepared, 4 * PAGE, PAGE, MF_PERM_RO, NULL));
    expect(!mf_memory_fill(prepared, 0, 1, 1) && mf_memory_last_fault(prepared).kind != 0);
    for (int i = 0; i < 3; i++) {
        mf_memory *clone = clone_from(pool, prepared);
        expect(clone == kept && mf_pool_count(pool).memories == 0);
        expect(mf_memory_last_fault(clone).kind == 0 && mf_memory_heap_top(clone) == 17 * PAGE + 1);
        expect(byte_at(clone, PAGE) == 1 && byte_at(clone, 9 * PAGE - 1) == 2 &&
               byte_at(clone, 5 * PAGE) == 0);
        expect(byte_at(clone, 18 * PAGE - 1) == 3 && !mf_memory_fill(clone, 4 * PAGE, 1, 1));
        expect(mf_memory_perm_of(clone, 4 * PAGE) == MF_PERM_RO);
        expect(mf_memory_fill(clone, PAGE, 8, 3 * PAGE) && byte_at(prepared, 2 * PAGE) == 0);
        expect_ok(mf_memory_sbrk(clone, PAGE, &top, NULL));
        expect(top == 17 * PAGE + 1 && mf_memory_heap_top(prepared) == 17 * PAGE + 1);
        if (i == 1) {
            expect_ok(mf_memory_reset(clone, NULL));
            expect(mf_memory_heap_top(clone) == 16 * PAGE && byte_at(clone, PAGE) == 0 &&
                   mf_memory_perm_of(clone, 4 * PAGE) == MF_PERM_RW);
        }
        mf_pool_give(pool, clone);
    }
    expect(mf_memory_last_fault(prepared).kind != 0 && byte_at(prepared, 18 * PAGE - 1) == 3);
    mf_memory_destroy(prepared);
    mf_pool_destroy(pool);
    mf_layout_release(layout);
}

/* Bytes in a page that has lost its permission, far above all that the kept memory ever had. */
static void clones_with_hidden_bytes(void) {
    mf_pool *pool = pool_of((mf_pool_config){0});
    mf_layout *layout = layout_of(&(mf_region){0, PAGE, MF_READ_WRITE}, 1, (mf_heap){0});
    mf_memory *prepared = take(pool, layout, NULL);
    mf_pool_give(pool, take(pool, layout, NULL));
    const uint32_t far = 1 << 24;
    expect_ok(mf_memory_map_region(prepared, far, PAGE, MF_READ_WRITE, "far", 4, NULL));
    expect_ok(mf_memory_protect(prepared, far, PAGE, MF_PERM_NONE, NULL));
    for (int i = 0; i < 3; i++) {
        mf_memory *clone = clone_from(pool, prepared);
        expect(mf_memory_perm_of(clone, far) == MF_PERM_NONE && mf_pool_count(pool).memories == 0);
        if (i == 0)
            expect_ok(mf_memory_reset(clone, NULL));
        expect_ok(mf_memory_protect(clone, far, PAGE, MF_PERM_RO, NULL));
        expect(byte_at(clone, far) == (i == 0 ? 0 : 'f'));
        mf_pool_give(pool, clone);
    }
    mf_memory_destroy(prepared);
    mf_pool_destroy(pool);
    mf_layout_release(layout);
}

/* Another configuration, a frozen one, and a pool that keeps nothing: clones all the same. */
static void clones_of_others(void) {
    mf_pool *pool = pool_of((mf_pool_config){0});
    const mf_memory_config narrow = {.backend = backend, .index = MF_MEMORY_U32, .max_bytes = 64 * PAGE};
    mf_layout *layout = layout_of(&(mf_region){0, 32 * PAGE, MF_READ_WRITE}, 1, (mf_heap){0});
    mf_memory *memories[2];
    mf_image *image;
    expect_ok(mf_memory_create_with(layout, NULL, &narrow, &memories[0], NULL));
    memories[1] = take(pool, layout, NULL);
    mf_pool_give(pool, take(pool, layout, NULL));
    for (int i = 0; i < 2; i++) {
        expect(mf_memory_fill(memories[i], 0, 5, 32 * PAGE));
        mf_memory *clone = clone_from(pool, memories[i]);
        expect(mf_memory_index_of(clone) == (i == 0 ? MF_MEMORY_U32 : MF_MEMORY_U33));
        expect(byte_at(clone, 0) == 5 && byte_at(clone, 32 * PAGE - 1) == 5);
        mf_pool_give(pool, clone);
        expect(mf_pool_count(pool).memories == 1);
    }
    expect_ok(mf_memory_freeze(memories[1], &image, NULL));
    set_byte(memories[1], 0, 6);
    mf_memory *clone = clone_from(pool, memories[1]);
    expect(mf_pool_count(pool).memories == 1 && byte_at(clone, 0) == 6 && byte_at(clone, PAGE) == 5);
    expect_ok(mf_memory_reset(clone, NULL));
    expect(byte_at(clone, 0) == 0 && byte_at(clone, PAGE) == 0);
    mf_memory_destroy(clone);
    mf_memory_destroy(memories[0]);
    mf_memory_destroy(memories[1]);
    mf_image_release(image);
    mf_pool_destroy(pool);
    mf_layout_release(layout);
}

/*
 * More pages than are looked at one by one, with an image that memories share: pages with other bytes, with
 * none any more, and untouched ones.
 */
static void clones_of_large_memories(void) {
    enum { PAGES = 4096, SHARED = 1024 };
    unsigned char *bytes = malloc(SHARED * MF_PAGE_SIZE);
    mf_layout_builder *builder = mf_layout_builder_create();
    mf_pool *pool = pool_of((mf_pool_config){0});
    mf_layout *layout;
    mf_image *image;
    expect(bytes != NULL);
    memset(bytes, 7, SHARED * MF_PAGE_SIZE);
    expect_ok(mf_layout_builder_map_region(builder, 0, PAGES * PAGE, MF_READ_WRITE, bytes,
                                           SHARED * MF_PAGE_SIZE, NULL));
    expect_ok(mf_layout_builder_finish(builder, &layout, &image, NULL));
    mf_memory *prepared = take(pool, layout, image);
    mf_pool_give(pool, take(pool, layout, image));
    for (uint32_t page = 0; page < PAGES; page += 100)
        set_byte(prepared, page * PAGE + page, 1);
    expect(mf_memory_fill(prepared, 3 * PAGE, 0, PAGE));
    expect_ok(mf_memory_unmap(prepared, 5 * PAGE, 20 * PAGE, NULL));
    expect_ok(mf_memory_protect(prepared, 15 * PAGE, PAGE, MF_PERM_RW, NULL));
    expect_ok(mf_memory_protect(prepared, 100 * PAGE, PAGE, MF_PERM_NONE, NULL));
    for (int i = 0; i < 3; i++) {
        mf_memory *clone = clone_from(pool, prepared);
        expect(mf_pool_count(pool).memories == 0);
        expect(byte_at(clone, 3 * PAGE) == 0 && byte_at(clone, 4 * PAGE) == 7 &&
               byte_at(clone, 15 * PAGE) == 0);
        expect(!mf_memory_fill(clone, 5 * PAGE, 1, 1) && !mf_memory_fill(clone, 24 * PAGE, 1, 1));
        expect(!mf_memory_fill(clone, 100 * PAGE, 1, 1) && byte_at(clone, 25 * PAGE) == 7);
        expect_ok(mf_memory_protect(clone, 0, 101 * PAGE, MF_PERM_RW, NULL));
        expect(byte_at(clone, 100 * PAGE + 100) == 1 && byte_at(clone, 24 * PAGE) == 0);
        for (uint32_t page = 200; page < PAGES; page += 100) {
            expect(byte_at(clone, page * PAGE + page) == 1);
            expect(byte_at(clone, page * PAGE) == (page < SHARED ? 7 : 0));
        }
        expect(mf_memory_fill(clone, 0, 9, PAGES * PAGE));
        mf_pool_give(pool, clone);
    }
    mf_pool_give(pool, prepared);
    mf_pool_destroy(pool);
    mf_layout_release(layout);
    mf_image_release(image);
    mf_layout_builder_destroy(builder);
    free(bytes);
}

/* ---- Random guests --------------------------------------------------------------------------- */

enum { KINDS = 8, PAGES = 96, HEAP_PAGES = 8 };

/* What a guest begins with: few pages, so that all of them can be looked at. */
typedef struct guest_kind {
    mf_layout *layout;
    mf_image *image;
    unsigned char bytes[PAGES * MF_PAGE_SIZE];
} guest_kind;

static guest_kind kinds[KINDS];

static void add_region(mf_layout_builder *builder, guest_kind *kind, uint64_t *random) {
    static unsigned char bytes[PAGES * MF_PAGE_SIZE];
    uint32_t first = (uint32_t)(next_random(random) % (PAGES - HEAP_PAGES));
    uint32_t count = 1 + (uint32_t)(next_random(random) % (PAGES - HEAP_PAGES - first));
    size_t given = next_random(random) % 3 == 0 ? 0 : next_random(random) % (count * PAGE);
    memset(bytes, (int)(next_random(random) % 255) + 1, given);
    memcpy(kind->bytes + first * PAGE, bytes, given);
    expect_ok(mf_layout_builder_map_region(builder, first * PAGE, count * PAGE,
                                           next_random(random) % 3 == 0 ? MF_READ_ONLY : MF_READ_WRITE, bytes,
                                           given, NULL));
}

static void add_bytes(mf_layout_builder *builder, guest_kind *kind, uint32_t page, int byte) {
    memset(kind->bytes + page * PAGE, byte, PAGE);
    expect_ok(mf_layout_builder_set_bytes(builder, page * PAGE, kind->bytes + page * PAGE, PAGE, NULL));
}

/* The heap, if there is one, begins behind all regions; the first kind is empty. */
static void make_kinds(uint64_t *random) {
    for (uint32_t i = 0; i < KINDS; i++) {
        mf_layout_builder *builder = mf_layout_builder_create();
        memset(&kinds[i], 0, sizeof kinds[i]);
        for (uint32_t n = 0; n < i % 4; n++)
            add_region(builder, &kinds[i], random);
        if (i % 2 == 1)
            expect_ok(mf_layout_builder_set_heap(builder, (PAGES - HEAP_PAGES) * PAGE, HEAP_PAGES, NULL));
        if (i % 4 != 0) /* where no region need be */
            add_bytes(builder, &kinds[i], PAGES - 1 - i, (int)i);
        expect_ok(mf_layout_builder_finish(builder, &kinds[i].layout, i < KINDS / 2 ? NULL : &kinds[i].image,
                                           NULL));
        if (kinds[i].image == NULL)
            memset(kinds[i].bytes, 0, sizeof kinds[i].bytes);
        mf_layout_builder_destroy(builder);
    }
}

static void release_kinds(void) {
    for (uint32_t i = 0; i < KINDS; i++) {
        mf_layout_release(kinds[i].layout);
        mf_image_release(kinds[i].image);
    }
}

/* What the MMU lets through is what the table says: in the pages that any guest has, and in the next ones. */
static void expect_host_rights(mf_memory *memory) {
    host_mapping list[2 * PAGES];
    uint64_t base = (uint64_t)(uintptr_t)mf_memory_view(memory)->base;
    if (backend == MF_BACKEND_COPY)
        return;
    size_t count = list_mappings(base, base + 2 * PAGES * PAGE, list, 2 * PAGES);
    for (size_t i = 0; i < count; i++)
        for (uint64_t at = list[i].start; at < list[i].end; at += PAGE)
            expect((int)mf_memory_perm_of(memory, (uint32_t)(at - base)) == list[i].perm);
}

/* Rights by the layout and page by page, bytes also where there are no rights. */
static void expect_fresh(mf_memory *memory, const guest_kind *kind, bool looks_below) {
    static _Thread_local unsigned char read[PAGES * MF_PAGE_SIZE];
    mf_layout *live;
    mf_memory *wanted;
    expect_ok(mf_memory_layout(memory, &live, NULL));
    expect(mf_layout_equal(live, kind->layout) && mf_memory_last_fault(memory).kind == 0);
    mf_layout_release(live);
    expect_ok(mf_memory_create(kind->layout, NULL, MF_BACKEND_COPY, &wanted, NULL));
    expect(mf_memory_heap_top(memory) == mf_memory_heap_top(wanted) &&
           mf_memory_len(memory) == mf_memory_len(wanted));
    for (uint32_t page = 0; page < PAGES; page++) {
        mf_perm perm = mf_memory_perm_of(wanted, page * PAGE);
        expect(mf_memory_perm_of(memory, page * PAGE) == perm);
        expect(perm == MF_PERM_NONE ||
               memcmp(mf_memory_view(memory)->base + page * PAGE, kind->bytes + page * PAGE, PAGE) == 0);
    }
    mf_memory_destroy(wanted);
    if (looks_below) {
        expect_host_rights(memory);
        expect_ok(mf_memory_protect(memory, 0, PAGES * PAGE, MF_PERM_RO, NULL));
        expect(mf_memory_read(memory, 0, read, sizeof read) && memcmp(read, kind->bytes, sizeof read) == 0);
    }
}

/* Whatever a guest and its host may do. */
static void live(mf_memory *memory, uint64_t *random) {
    for (uint64_t steps = next_random(random) % 12; steps > 0; steps--) {
        uint32_t first = (uint32_t)(next_random(random) % PAGES);
        uint64_t size = (1 + next_random(random) % (PAGES - first)) * PAGE, top;
        uint8_t byte = (uint8_t)next_random(random);
        mf_image *image;
        switch (next_random(random) % 12) {
        case 0:
            expect_ok(mf_memory_unmap(memory, first * PAGE, size, NULL));
            break;
        case 1:
            expect_ok(mf_memory_map_region(memory, first * PAGE, size, MF_READ_WRITE, "secret", 6, NULL));
            break;
        case 2:
            expect_ok(
                mf_memory_protect(memory, first * PAGE, size, (mf_perm)(next_random(random) % 3), NULL));
            break;
        case 3:
            if (mf_memory_sbrk(memory, PAGE + 1, &top, NULL) == MF_OK)
                mf_memory_fill(memory, (uint32_t)top, byte, PAGE + 1);
            break;
        case 4:
            if (next_random(random) % 4 == 0) {
                expect_ok(mf_memory_freeze(memory, &image, NULL));
                mf_image_release(image);
            }
            break;
        case 5:
            if (mf_memory_perm_of(memory, first * PAGE) == MF_PERM_NONE && backend == MF_BACKEND_X86_PAGED)
                set_hidden_byte(memory, first * PAGE + 5, byte);
            break;
        default:
            mf_memory_fill(memory, first * PAGE + byte, byte, next_random(random) % 3 == 0 ? size - byte : 9);
        }
    }
}

/* Rights, bytes in every page, and what the memory says of itself. Afterwards all pages are read-only. */
static void expect_equal(mf_memory *memory, mf_memory *wanted) {
    mf_layout *layouts[2];
    expect_ok(mf_memory_layout(memory, &layouts[0], NULL));
    expect_ok(mf_memory_layout(wanted, &layouts[1], NULL));
    expect(mf_layout_equal(layouts[0], layouts[1]));
    expect(mf_memory_view(memory)->layout_stamp == mf_memory_view(wanted)->layout_stamp);
    expect(mf_memory_heap_top(memory) == mf_memory_heap_top(wanted) &&
           mf_memory_view(memory)->heap_end == mf_memory_view(wanted)->heap_end);
    expect(mf_memory_len(memory) == mf_memory_len(wanted) && mf_memory_last_fault(memory).kind == 0);
    for (uint32_t page = 0; page < PAGES + HEAP_PAGES; page++)
        expect(mf_memory_perm_of(memory, page * PAGE) == mf_memory_perm_of(wanted, page * PAGE));
    expect_host_rights(memory);
    expect_ok(mf_memory_protect(memory, 0, PAGES * PAGE, MF_PERM_RO, NULL));
    expect_ok(mf_memory_protect(wanted, 0, PAGES * PAGE, MF_PERM_RO, NULL));
    expect(memcmp(mf_memory_view(memory)->base, mf_memory_view(wanted)->base, PAGES * PAGE) == 0);
    mf_layout_release(layouts[0]);
    mf_layout_release(layouts[1]);
}

static mf_memory *clone_of(const mf_memory *memory) {
    mf_memory *clone;
    expect_ok(mf_memory_clone(memory, &clone, NULL));
    return clone;
}

/*
 * A clone out of the pool is as one that is made anew, at once or after the same life; reset brings both
 * back; and the source is as it was.
 */
static void clone_once(mf_pool *pool, const guest_kind *kind, mf_memory *memory, uint64_t *random) {
    mf_memory *before = clone_of(memory);
    mf_memory *clone = clone_from(pool, memory);
    mf_memory *wanted = clone_of(memory);
    uint64_t same = *random;
    if (next_random(random) % 2 == 0) {
        uint64_t again = same;
        live(clone, &same);
        live(wanted, &again);
        expect(mf_memory_view(clone)->fault.kind == mf_memory_view(wanted)->fault.kind);
        mf_memory_view(clone)->fault = (mf_fault){0};
    }
    expect_equal(clone, wanted);
    expect_ok(mf_memory_reset(clone, NULL));
    expect_fresh(clone, kind, true);
    mf_pool_give(pool, clone);
    mf_memory_view(memory)->fault = (mf_fault){0};
    expect_equal(memory, before);
    mf_memory_destroy(before);
    mf_memory_destroy(wanted);
}

static void live_once(mf_pool *pool, uint64_t *random) {
    const guest_kind *kind = &kinds[next_random(random) % KINDS];
    mf_memory *memory = take(pool, kind->layout, kind->image);
    expect_fresh(memory, kind, next_random(random) % 4 == 0);
    live(memory, random);
    if (next_random(random) % 3 == 0)
        clone_once(pool, kind, memory, random);
    if (next_random(random) % 32 == 0)
        mf_memory_destroy(memory);
    else
        mf_pool_give(pool, memory);
}

static void nothing_survives(void) {
    uint64_t random = 99;
    for (int round = 0; round < 4; round++) {
        mf_pool *pool = pool_of((mf_pool_config){.max_memories = 3});
        mf_memory *held[2] = {take(pool, NULL, NULL), take(pool, NULL, NULL)};
        make_kinds(&random);
        for (int i = 0; i < 300; i++) {
            live_once(pool, &random);
            if (i % 50 == 0) {
                mf_pool_give(pool, held[i / 50 % 2]);
                held[i / 50 % 2] = take(pool, kinds[i % KINDS].layout, kinds[i % KINDS].image);
            }
        }
        mf_pool_give(pool, held[0]);
        mf_memory_destroy(held[1]);
        mf_pool_destroy(pool);
        release_kinds();
    }
}

/* ---- Threads and forks ------------------------------------------------------------------------ */

enum { THREADS = 3, LIVES = 200 };

static atomic_bool stops;

typedef struct worker {
    mf_pool *pool;
    uint64_t random;
    pthread_t thread;
} worker;

/* Hardly anything but the pool's own. */
static void *hammer(void *context) {
    worker *w = context;
    while (!atomic_load(&stops))
        mf_pool_give(w->pool, take(w->pool, kinds[3].layout, NULL));
    return NULL;
}

static void *work(void *context) {
    worker *w = context;
    for (int i = 0; i < LIVES; i++)
        live_once(w->pool, &w->random);
    return NULL;
}

static void run_workers(mf_pool *pool, void *(*body)(void *context), void (*meanwhile)(mf_pool *pool)) {
    worker workers[THREADS];
    atomic_store(&stops, false);
    for (uint64_t i = 0; i < THREADS; i++) {
        workers[i] = (worker){.pool = pool, .random = 1000 + i};
        expect(pthread_create(&workers[i].thread, NULL, body, &workers[i]) == 0);
    }
    meanwhile(pool);
    atomic_store(&stops, true);
    for (int i = 0; i < THREADS; i++)
        expect(pthread_join(workers[i].thread, NULL) == 0);
}

static void trim(mf_pool *pool) {
    for (int i = 0; i < 20; i++)
        mf_pool_trim(pool);
}

static void threads(void) {
    uint64_t random = 5;
    mf_pool *pool = pool_of((mf_pool_config){.max_memories = 4});
    make_kinds(&random);
    run_workers(pool, work, trim);
    expect(mf_pool_count(pool).memories <= 4);
    mf_pool_destroy(pool);
    release_kinds();
}

/* A child that finds a list held for ever would never end. */
static void fork_often(mf_pool *pool) {
    uint64_t random = 17;
    for (int i = 0; i < 60; i++) {
        pid_t child = fork();
        expect(child >= 0);
        if (child == 0) {
            alarm(10);
            for (int n = 0; n < 3; n++)
                live_once(pool, &random);
            mf_pool_destroy(pool);
            _exit(0);
        }
        int status = 1;
        expect(waitpid(child, &status, 0) == child && status == 0);
    }
}

static void forks(void) {
    uint64_t random = 6;
    mf_pool *pool = pool_of((mf_pool_config){0});
    make_kinds(&random);
    run_workers(pool, hammer, fork_often);
    mf_pool_destroy(pool);
    release_kinds();
}

int main(void) {
    static const test tests[] = {
        {"the same memory again", same_again},
        TEST(limits_of_a_pool),
        TEST(other_configurations),
        TEST(states_of_images),
        {"beginnings_with_a_used_up_heap", used_up_heap},
        TEST(clones),
        TEST(clones_with_hidden_bytes),
        TEST(clones_of_others),
        TEST(clones_of_large_memories),
        {"nothing survives", nothing_survives},
        TEST(threads),
        TEST(forks),
    };
    return RUN_TESTS(tests);
}
