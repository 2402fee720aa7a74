/* What the programs of this directory share: expectations that stop at the first failure, and layouts. */
#ifndef MEMFOLD_TEST_RUNTIME_SUPPORT_H
#define MEMFOLD_TEST_RUNTIME_SUPPORT_H

#include <memfold/generic.h>
#include <memfold/guard.h>
#include <memfold/layout.h>
#include <memfold/memory.h>
#include <memfold/panic.h>
#include <memfold/status.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE ((uint32_t)MF_PAGE_SIZE)
#define TOP MF_SPACE_BYTES

/* Every backend there is here. `backend` is the one that the test of the moment runs on. */
static const struct {
    const char *name;
    mf_backend backend;
} BACKENDS[] = {
#if __STDC_HOSTED__
    {"copy", MF_BACKEND_COPY},
#endif
    {"x86_paged", MF_BACKEND_X86_PAGED},
};

#define BACKEND_COUNT (sizeof BACKENDS / sizeof BACKENDS[0])

static mf_backend backend;

#define expect(condition) expect_at((condition), #condition, __FILE__, __LINE__)
#define expect_ok(call) expect((call) == MF_OK)

static inline void expect_at(bool condition, const char *text, const char *file, int line) {
    if (!condition) {
        const char *name = backend == MF_BACKEND_COPY ? "copy" : "x86_paged";
        fprintf(stderr, "%s:%d: not true on %s: %s\n", file, line, name, text);
        exit(1);
    }
}

/* A test and its name; run_tests prints the name of each that comes to its end on every backend. */
typedef struct test {
    const char *name;
    void (*run)(void);
} test;

#define TEST(function) {#function, function}

static inline void run_on_every_backend(void (*run)(void)) {
    for (size_t b = 0; b < BACKEND_COUNT; b++) {
        backend = BACKENDS[b].backend;
        run();
    }
}

static inline int run_tests(const test *tests, size_t count) {
    for (size_t i = 0; i < count; i++) {
        run_on_every_backend(tests[i].run);
        puts(tests[i].name);
    }
    for (size_t b = 0; b < BACKEND_COUNT; b++)
        printf("on %s\n", BACKENDS[b].name);
    return 0;
}

#define RUN_TESTS(tests) run_tests(tests, sizeof tests / sizeof tests[0])

static inline mf_layout *layout_of(const mf_region *regions, size_t count, mf_heap heap) {
    mf_layout_builder *builder = mf_layout_builder_create();
    mf_layout *layout;
    expect(builder != NULL);
    for (size_t i = 0; i < count; i++) {
        expect_ok(mf_layout_builder_map_region(builder, regions[i].start, regions[i].size, regions[i].access,
                                               NULL, 0, NULL));
    }
    expect_ok(mf_layout_builder_set_heap(builder, heap.base, heap.max_pages, NULL));
    expect_ok(mf_layout_builder_finish(builder, &layout, NULL, NULL));
    mf_layout_builder_destroy(builder);
    return layout;
}

static inline mf_memory *memory_of(const mf_region *regions, size_t count, mf_heap heap) {
    mf_layout *layout = layout_of(regions, count, heap);
    mf_memory *memory;
    expect_ok(mf_memory_create(layout, NULL, backend, &memory, NULL));
    mf_layout_release(layout);
    return memory;
}

static inline bool fault_is(mf_fault fault, mf_fault_kind kind, mf_operation operation, uint64_t page,
                            uint64_t address, uint64_t length) {
    return fault.kind == kind && fault.operation == (uint32_t)operation && fault.page == page &&
           fault.address == address && fault.length == length;
}

static inline uint8_t byte_at(mf_memory *memory, uint32_t address) {
    uint8_t byte = 0;
    expect(mf_memory_read(memory, address, &byte, 1));
    return byte;
}

static inline void set_byte(mf_memory *memory, uint32_t address, uint8_t byte) {
    expect(mf_memory_write(memory, address, &byte, 1));
}

/*
 * Gives a byte to a page without permission: on copy as a store under the bounds policy leaves it there, on
 * x86_paged from a time when the page had one.
 */
static inline void set_hidden_byte(mf_memory *memory, uint32_t address, uint8_t byte) {
    uint32_t page = address / PAGE * PAGE;
    expect(mf_memory_perm_of(memory, address) == MF_PERM_NONE);
    if (backend == MF_BACKEND_COPY) {
        mf_memory_view(memory)->base[address] = byte;
        return;
    }
    expect_ok(mf_memory_protect(memory, page, PAGE, MF_PERM_RW, NULL));
    set_byte(memory, address, byte);
    expect_ok(mf_memory_protect(memory, page, PAGE, MF_PERM_NONE, NULL));
}

/* A small generator of pseudo-random numbers: the same sequence everywhere. */
static inline uint64_t next_random(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state * UINT64_C(0x2545f4914f6cdd1d);
}

#endif
