// Accessor sets in a client's buffer, one behind the other: they run where they were written and where all of
// them are moved to, on both backends, with their tables and their exception entries.
//
// RUN: %cc %s -o %t %stencil && %t | FileCheck %s
//
// CHECK: too few bytes: invalid-argument: the accessors take {{[1-9][0-9]+}} bytes, and the buffer has {{[1-9][0-9]+$}}
// CHECK-NEXT: a strategy that is not exact: inexact-strategy
// CHECK-NEXT: 18 sets in {{[1-9][0-9]*}} bytes
// CHECK-NEXT: where they were written: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: where they were moved to: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: 11 entries of the exception table in a paged set
#include <memfold/exception_table.h>
#include <memfold/generic.h>
#include <memfold/memory.h>
#include <memfold/plan.h>
#include <memfold/stencil.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define BUFFER_BYTES ((size_t)8 << 20)
#define SETS 18

static void must(bool holds, const char *what) {
    if (holds)
        return;
    printf("%s\n", what);
    exit(1);
}

#ifdef __clang__
#define CALLS_MADE_CODE __attribute__((no_sanitize("function")))
#else
#define CALLS_MADE_CODE
#endif

typedef struct made {
    size_t offset;
    mf_stencil_set set;
    mf_memory *memory;
} made;

static made sets[SETS];
static unsigned long accesses;
static unsigned long faults;

/* Two windows; many, for the table of pages; and granules, for a table behind the code. */
static mf_memory *make_memory(unsigned kind, mf_backend backend, mf_accessor_options *options) {
    mf_memory *memory;
    unsigned regions = kind == 0 ? 2 : 9;
    must(mf_memory_create(NULL, NULL, backend, &memory, NULL) == MF_OK, "mf_memory_create");
    for (unsigned i = 0; i < regions; i++) {
        uint64_t start = 0x20000 + i * UINT64_C(0x30000);
        uint64_t bytes = kind == 2 ? 0x10000 : 0x3000;
        must(mf_memory_map_region(memory, start, bytes, i % 3 == 1 ? MF_READ_ONLY : MF_READ_WRITE, "memfold",
                                  7, NULL) == MF_OK,
             "mf_memory_map_region");
    }
    if (kind == 2 && backend == MF_BACKEND_COPY)
        options->strategy = MF_STRATEGY_GRANULE_TABLE;
    options->backend = backend;
    return memory;
}

static size_t fill(unsigned char *buffer) {
    size_t used = 0;
    for (unsigned i = 0; i < SETS; i++) {
        mf_accessor_options options = {.stale = (mf_stale)(i / 6 % 2),
                                       .endian = i / 6 == 2 ? MF_BIG_ENDIAN : MF_LITTLE_ENDIAN};
        mf_layout *layout;
        mf_diag diag;
        size_t bytes;
        made *m = &sets[i];
        m->memory = make_memory(i % 3, i / 3 % 2 ? MF_BACKEND_X86_PAGED : MF_BACKEND_COPY, &options);
        must(mf_memory_layout(m->memory, &layout, NULL) == MF_OK, "mf_memory_layout");
        must(mf_stencil_size(layout, &options, &bytes, &diag) == MF_OK, "mf_stencil_size");
        if (i == 0) {
            mf_status status = mf_stencil_emit(layout, &options, buffer, bytes - 1, &m->set, &diag);
            printf("too few bytes: %s: %s\n", mf_status_name(status), diag.message);
            options.strategy = MF_STRATEGY_WINDOW;
            status = mf_stencil_emit(layout, &options, buffer, bytes, &m->set, &diag);
            printf("a strategy that is not exact: %s\n", mf_status_name(status));
            options.strategy = MF_STRATEGY_AUTO;
        }
        m->offset = used;
        must(mf_stencil_emit(layout, &options, buffer + used, bytes, &m->set, &diag) == MF_OK, "emit");
        must(m->set.bytes == bytes && bytes % MF_STENCIL_ALIGNMENT == 0, "the size that was said");
        mf_layout_release(layout);
        used += bytes;
    }
    return used;
}

/* The reference is what the generic accessors say of the same memory. */
CALLS_MADE_CODE static void compare(const made *m, const mf_accessors *set, bool swaps, uint32_t address) {
    mf_view *view = mf_memory_view(m->memory);
    mf_accessor_options options = {.endian = swaps ? MF_BIG_ENDIAN : MF_LITTLE_ENDIAN,
                                   .backend = mf_memory_backend(m->memory)};
    const mf_accessors *generic = mf_generic_accessors(&options);
    must(generic != NULL, "generic accessors");
    mf_load_result loaded = set->load_u64(view, address);
    mf_load_result wanted = generic->load_u64(view, address);
    must(loaded.value == wanted.value && loaded.status == wanted.status, "a load differs");
    loaded = set->load_i16(view, address);
    wanted = generic->load_i16(view, address);
    must(loaded.value == wanted.value && loaded.status == wanted.status, "a signed load differs");
    uint32_t status = set->store_u32(view, address, address * UINT64_C(0x9e3779b97f4a7c15));
    uint64_t page = view->fault.page;
    wanted = generic->load_u32(view, address);
    must(status != MF_FAULT_NONE || wanted.value == (uint32_t)(address * UINT64_C(0x9e3779b97f4a7c15)),
         "a store differs");
    must(status == generic->store_u32(view, address, wanted.value) && page == view->fault.page,
         "a store's status differs");
    accesses += 3;
    faults += (unsigned long)(status != 0) + 2ul * (wanted.status != 0);
}

static void run(const unsigned char *code) {
    accesses = 0;
    faults = 0;
    for (unsigned i = 0; i < SETS; i++) {
        mf_accessors set;
        const made *m = &sets[i];
        const void *entries = code + m->offset + m->set.entries;
        mf_stencil_accessors(&m->set, code + m->offset, &set);
        must(mf_exception_table_register(entries, m->set.entry_count, NULL) == MF_OK, "register");
        mf_backend backend = mf_memory_backend(m->memory);
        must((set.backends & 0xff) == MF_ACCESSORS_SERVE(backend), "the backend");
        must(set.backends >> 8 == MF_ACCESSORS_SERVE(backend), "the index");
        for (unsigned region = 0; region < 9; region++)
            for (uint32_t offset = 0; offset < 20; offset++) {
                compare(m, &set, i / 6 == 2, 0x20000 + region * 0x30000 - 10 + offset);
                compare(m, &set, i / 6 == 2, 0x23000 + region * 0x30000 - 10 + offset);
                compare(m, &set, i / 6 == 2, 0x30000 + region * 0x30000 - 10 + offset);
            }
        mf_exception_table_unregister(entries);
    }
}

static unsigned char *map(void) {
    void *host = mmap(NULL, BUFFER_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    must(host != MAP_FAILED, "mmap");
    return host;
}

int main(void) {
    unsigned char *first = map();
    unsigned char *second = map();
    size_t used = fill(first);
    printf("%d sets in %zu bytes\n", SETS, used);
    memcpy(second + MF_PAGE_SIZE, first, used);
    must(mprotect(first, BUFFER_BYTES, PROT_READ | PROT_EXEC) == 0, "mprotect");
    run(first);
    printf("where they were written: %lu accesses, %lu faults\n", accesses, faults);
    munmap(first, BUFFER_BYTES);
    must(mprotect(second, BUFFER_BYTES, PROT_READ | PROT_EXEC) == 0, "mprotect");
    run(second + MF_PAGE_SIZE);
    printf("where they were moved to: %lu accesses, %lu faults\n", accesses, faults);
    munmap(second, BUFFER_BYTES);
    must(sets[3].set.entry_count == MF_ACCESSOR_COUNT && sets[0].set.entry_count == 0, "entries");
    printf("%u entries of the exception table in a paged set\n", sets[3].set.entry_count);
    for (unsigned i = 0; i < SETS; i++)
        mf_memory_destroy(sets[i].memory);
    return 0;
}
