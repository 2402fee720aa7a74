/*
 * A memory costs what is touched, not how far its layout reaches; so do its clone and its reset.
 *
 * RUN: %cc %s -o %t %runtime
 *
 * Page faults are counted: a sanitizer takes no pages for frames of the stack.
 *
 * RUN: env ASAN_OPTIONS=detect_stack_use_after_return=0 %t | FileCheck %s
 *
 * CHECK: sparse
 * CHECK-NEXT: full
 * CHECK-NEXT: touched pages come back
 * CHECK-NEXT: zeros are not cloned
 * CHECK-NEXT: reset touches what has changed
 */
#include "../support.h"

#include <sys/resource.h>
#include <unistd.h>

#define LIMIT_BYTES (20 << 20)

static long resident_bytes(void) {
    long total_pages = 0, resident_pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    expect(file != NULL && fscanf(file, "%ld %ld", &total_pages, &resident_pages) == 2);
    fclose(file);
    return resident_pages * sysconf(_SC_PAGESIZE);
}

static void create_clone_reset(const mf_region *regions, size_t count, mf_heap heap) {
    long before = resident_bytes();
    mf_memory *m = memory_of(regions, count, heap);
    mf_memory *clone;
    set_byte(m, 5, 1);
    set_byte(m, UINT32_MAX - 5, 2);
    expect(resident_bytes() - before < LIMIT_BYTES);
    expect_ok(mf_memory_clone(m, &clone, NULL));
    expect(byte_at(clone, 5) == 1 && byte_at(clone, UINT32_MAX - 5) == 2);
    expect(resident_bytes() - before < LIMIT_BYTES);
    expect_ok(mf_memory_reset(m, NULL));
    expect(byte_at(m, 5) == 0 && byte_at(m, UINT32_MAX - 5) == 0);
    expect_ok(mf_memory_unmap(clone, 0, TOP, NULL));
    mf_layout *layout;
    expect_ok(mf_memory_layout(clone, &layout, NULL));
    mf_layout_release(layout);
    expect(resident_bytes() - before < LIMIT_BYTES);
    mf_memory_destroy(m);
    mf_memory_destroy(clone);
}

static void touched_pages_come_back(void) {
    long before = resident_bytes();
    mf_memory *m = memory_of(&(mf_region){0, 256 << 20, MF_READ_WRITE}, 1, (mf_heap){512 << 20, 1 << 16});
    uint64_t old;
    expect(mf_memory_fill(m, 0, 1, 64 << 20));
    expect(resident_bytes() - before >= 64 << 20);
    expect_ok(mf_memory_unmap(m, 0, 32 << 20, NULL));
    expect(resident_bytes() - before < (32 << 20) + LIMIT_BYTES);
    expect_ok(mf_memory_reset(m, NULL));
    expect(resident_bytes() - before < LIMIT_BYTES);
    expect_ok(mf_memory_sbrk(m, 256 << 20, &old, NULL));
    expect(resident_bytes() - before < LIMIT_BYTES);
    mf_memory_destroy(m);
}

static void zeros_are_not_cloned(void) {
    mf_memory *m = memory_of(&(mf_region){0, 64 << 20, MF_READ_WRITE}, 1, (mf_heap){0});
    mf_memory *clone;
    expect(mf_memory_fill(m, 0, 0, 64 << 20));
    long before = resident_bytes();
    expect_ok(mf_memory_clone(m, &clone, NULL));
    expect(resident_bytes() - before < LIMIT_BYTES);
    mf_memory_destroy(m);
    mf_memory_destroy(clone);
}

static long page_faults(void) {
    struct rusage usage;
    expect(getrusage(RUSAGE_SELF, &usage) == 0);
    return usage.ru_minflt;
}

/* Only the heap's byte, and not the table of a map with far ends, is faulted in again after each reset. */
static void reset_touches_what_has_changed(void) {
    enum { LIVES = 100 };
    const mf_region ends[] = {{0, PAGE, MF_READ_WRITE}, {0xfffff000, PAGE, MF_READ_WRITE}};
    mf_memory *m = memory_of(ends, 2, (mf_heap){0x80000000, 16});
    long before = 0;
    for (int life = -1; life < LIVES; life++) {
        uint64_t old;
        before = life == 0 ? page_faults() : before;
        expect_ok(mf_memory_sbrk(m, PAGE, &old, NULL));
        expect(old == 0x80000000 && byte_at(m, 0x80000000) == 0);
        set_byte(m, 0x80000000, 1);
        expect_ok(mf_memory_reset(m, NULL));
        expect(mf_memory_perm_of(m, 0x80000000) == MF_PERM_NONE && mf_memory_len(m) == TOP);
    }
    expect(page_faults() - before < 3 * LIVES);
    mf_memory_destroy(m);
}

int main(void) {
    const mf_region sparse[] = {{0, PAGE, MF_READ_WRITE}, {0xfffff000, PAGE, MF_READ_WRITE}};
    create_clone_reset(sparse, 2, (mf_heap){0x10000, 0x80000});
    puts("sparse");
    create_clone_reset(&(mf_region){0, TOP, MF_READ_WRITE}, 1, (mf_heap){0});
    puts("full");
    touched_pages_come_back();
    puts("touched pages come back");
    zeros_are_not_cloned();
    puts("zeros are not cloned");
    run_on_every_backend(reset_touches_what_has_changed);
    puts("reset touches what has changed");
    return 0;
}
