/*
 * The window as the kernel has it: guards, permissions, and no more mappings than runs need.
 *
 * RUN: %cc -D_GNU_SOURCE %s -o %t %runtime && %t | FileCheck %s
 *
 * CHECK: empty: 1 mapping
 * CHECK-NEXT: three runs with holes: 7 mappings
 * CHECK-NEXT: merged regions: 2 mappings
 * CHECK-NEXT: 4096 alternating pages: 8193 mappings
 * CHECK-NEXT: the whole space: 3 mappings
 * CHECK-NEXT: live changes agree
 * CHECK-NEXT: for 32-bit indices
 * CHECK-NEXT: three runs with holes: 7 mappings
 * CHECK-NEXT: the whole space: 3 mappings
 * CHECK-NEXT: live changes agree
 */
#include "host.h"

static void report(const char *name, mf_memory *m) {
    size_t count = expect_host_agrees(m);
    expect(kernel_mappings == count);
    printf("%s: %zu mapping%s\n", name, count, count == 1 ? "" : "s");
    mf_memory_destroy(m);
}

static bool is_narrow;

/* The memory itself, or one of its layout for 32-bit indices instead. */
static mf_memory *narrowed(mf_memory *m) {
    const mf_memory_config config = {.backend = backend, .index = MF_MEMORY_U32};
    mf_layout *layout;
    if (!is_narrow)
        return m;
    expect_ok(mf_memory_layout(m, &layout, NULL));
    mf_memory_destroy(m);
    expect_ok(mf_memory_create_with(layout, NULL, &config, &m, NULL));
    mf_layout_release(layout);
    return m;
}

static mf_memory *alternating(void) {
    enum { REGIONS = 4096 };
    static mf_region regions[REGIONS];
    for (uint32_t i = 0; i < REGIONS; i++)
        regions[i] = (mf_region){(2 * i + 1) * PAGE, PAGE, i % 2 ? MF_READ_ONLY : MF_READ_WRITE};
    mf_memory *m = memory_of(regions, REGIONS, (mf_heap){0});
    for (uint32_t i = 0; i < REGIONS; i += 2)
        set_byte(m, (2 * i + 1) * PAGE, 1);
    return m;
}

static void change_and_compare(void) {
    const mf_region region = {0, 64 * PAGE, MF_READ_WRITE};
    mf_memory *m = memory_of(&region, 1, (mf_heap){1 << 30, 100});
    m = narrowed(m);
    uint64_t random = 7, old;
    for (int i = 0; i < 300; i++) {
        uint32_t first = (uint32_t)(next_random(&random) % 64), count = (uint32_t)(next_random(&random) % 16);
        uint64_t start = (uint64_t)first * PAGE, size = (uint64_t)count * PAGE;
        switch (next_random(&random) % 6) {
        case 0:
            expect_ok(mf_memory_unmap(m, start, size, NULL));
            break;
        case 1:
            expect_ok(mf_memory_map_region(m, start, size, MF_READ_ONLY, "ab", 2, NULL));
            break;
        case 2:
            expect_ok(mf_memory_sbrk(m, PAGE, &old, NULL));
            break;
        case 3:
            expect(next_random(&random) % 4 != 0 || mf_memory_reset(m, NULL) == MF_OK);
            break;
        default:
            expect_ok(mf_memory_protect(m, start, size, (mf_perm)(next_random(&random) % 3), NULL));
        }
        expect_host_agrees(m);
        if (i % 10 == 0) {
            mf_memory *clone;
            expect_ok(mf_memory_clone(m, &clone, NULL));
            expect(expect_host_agrees(clone) == expect_host_agrees(m));
            mf_memory_destroy(clone);
        }
    }
    mf_memory_destroy(m);
}

int main(void) {
    backend = MF_BACKEND_X86_PAGED;
    report("empty", memory_of(NULL, 0, (mf_heap){0}));
    const mf_region holes[] = {
        {PAGE, PAGE, MF_READ_ONLY}, {4 * PAGE, 3 * PAGE, MF_READ_WRITE}, {1 << 30, PAGE, MF_READ_ONLY}};
    report("three runs with holes", memory_of(holes, 3, (mf_heap){0}));
    const mf_region merged[] = {{0, PAGE, MF_READ_WRITE}, {PAGE, PAGE, MF_READ_WRITE}};
    mf_memory *m = memory_of(merged, 2, (mf_heap){2 * PAGE, 8});
    uint64_t old;
    expect_ok(mf_memory_sbrk(m, 3 * PAGE, &old, NULL));
    uint64_t base = (uint64_t)(uintptr_t)mf_memory_view(m)->base;
    host_mapping list[4];
    size_t count = list_mappings(base, base + WINDOW_BYTES, list, 4);
    expect_host_agrees(m);
    printf("merged regions: %zu mappings\n", count);
    mf_memory_destroy(m);
    report("4096 alternating pages", alternating());
    report("the whole space", memory_of(&(mf_region){0, TOP, MF_READ_WRITE}, 1, (mf_heap){0}));
    change_and_compare();
    puts("live changes agree");
    puts("for 32-bit indices");
    is_narrow = true;
    report("three runs with holes", narrowed(memory_of(holes, 3, (mf_heap){0})));
    report("the whole space", narrowed(memory_of(&(mf_region){0, TOP, MF_READ_WRITE}, 1, (mf_heap){0})));
    change_and_compare();
    puts("live changes agree");
    return 0;
}
