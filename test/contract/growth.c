// A process that goes on asking for code and making memories does not grow. Sanitizers keep what is freed
// for a while, and tables of their own beside it: there the numbers say nothing.
// UNSUPPORTED: sanitizer
//
// RUN: %cc %s -o %t %gen
// RUN: %t | FileCheck %s
//
// By stencils:
// RUN: %cc %by-stencils %s -o %t.stencil %gen
// RUN: %t.stencil | FileCheck %s
//
// CHECK: new layouts: 2000 rounds, no growth
// CHECK-NEXT: known layouts: 100000 rounds, no growth
// CHECK-NEXT: memories: 2000 rounds, no growth
#include "jit_maker.h"

#include <memfold/memory.h>

#include <inttypes.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define NEW_LAYOUT_ROUNDS 2000
#define KNOWN_LAYOUT_ROUNDS 100000
#define KNOWN_LAYOUTS 8
#define MEMORY_ROUNDS 2000
/* Until every list and pool has the size that it keeps. */
#define WARM_UP_ROUNDS 200

/*
 * What may come and go: the allocator trims and grows its top in steps of 128 KiB, and the C library and LLVM
 * have a few such regions. One page per round would be 8 MiB.
 */
#define RESIDENT_SLACK_BYTES (INT64_C(1) << 20)
/* A thread's or an arena's worth of mappings; one per round would be 2000. */
#define MAPPING_SLACK 8
/* Bytes in use as malloc counts them: what 2,000 rounds keep is nothing but rounding. */
#define HEAP_SLACK_BYTES 4096

typedef struct usage {
    int64_t resident_bytes;
    int64_t heap_bytes;
    int64_t mappings;
} usage;

static mf_jit *jit;

static void must(mf_status status, const mf_diag *diag) {
    if (status == MF_OK)
        return;
    printf("%s: %s\n", mf_status_name(status), diag->message);
    exit(1);
}

/* ---- Measuring ---- */

static FILE *open_or_abort(const char *path) {
    FILE *file = fopen(path, "r");
    if (file == NULL)
        abort();
    return file;
}

static int64_t resident_bytes(void) {
    int64_t pages;
    FILE *file = open_or_abort("/proc/self/statm");
    if (fscanf(file, "%*d %" SCNd64, &pages) != 1)
        abort();
    fclose(file);
    return pages * sysconf(_SC_PAGESIZE);
}

static int64_t mapping_count(void) {
    int64_t lines = 0;
    FILE *file = open_or_abort("/proc/self/maps");
    for (int c = getc(file); c != EOF; c = getc(file))
        lines += c == '\n';
    fclose(file);
    return lines;
}

static usage measure(void) {
    return (usage){resident_bytes(), (int64_t)mallinfo2().uordblks, mapping_count()};
}

static void require_no_growth(const char *name, unsigned rounds, usage before, int64_t heap_slack_bytes) {
    usage after = measure();
    bool has_grown = after.resident_bytes - before.resident_bytes > RESIDENT_SLACK_BYTES ||
                     after.heap_bytes - before.heap_bytes > heap_slack_bytes ||
                     after.mappings - before.mappings > MAPPING_SLACK;
    printf("%s: %u rounds, %s\n", name, rounds, has_grown ? "growth" : "no growth");
    if (!has_grown)
        return;
    printf("resident bytes %" PRId64 " -> %" PRId64 ", malloc %" PRId64 " -> %" PRId64 ", mappings %" PRId64
           " -> %" PRId64 "\n",
           before.resident_bytes, after.resident_bytes, before.heap_bytes, after.heap_bytes, before.mappings,
           after.mappings);
    exit(1);
}

/* ---- Rounds ---- */

static mf_layout *make_layout(uint32_t number) {
    mf_layout_builder *builder = mf_layout_builder_create();
    mf_layout *layout;
    mf_diag diag;
    uint64_t start = (uint64_t)(number + 1) * MF_PAGE_SIZE;
    must(mf_layout_builder_map_region(builder, start, MF_PAGE_SIZE, MF_READ_WRITE, NULL, 0, &diag), &diag);
    must(mf_layout_builder_finish(builder, &layout, NULL, &diag), &diag);
    mf_layout_builder_destroy(builder);
    return layout;
}

static mf_memory *make_memory(const mf_layout *layout) {
    mf_memory *memory;
    mf_diag diag;
    must(mf_memory_create(layout, NULL, MF_BACKEND_COPY, &memory, &diag), &diag);
    return memory;
}

/* One good access and one fault. */
static void use(const mf_code *code, mf_memory *memory, uint32_t address) {
    const mf_accessors *set = mf_code_accessors(code);
    mf_view *view = mf_memory_view(memory);
    if (set->store_u32(view, address, address) != 0 || set->load_u32(view, address).value != address ||
        set->load_u8(view, address - 1).status != MF_PAGE_FAULT)
        abort();
}

static void round_of_new_layout(uint32_t number) {
    mf_layout *layout = make_layout(number);
    mf_memory *memory = make_memory(layout);
    mf_code *code;
    mf_diag diag;
    must(mf_jit_get_for(jit, memory, NULL, &code, &diag), &diag);
    use(code, memory, (number + 1) * MF_PAGE_SIZE);
    mf_code_release(code);
    mf_memory_destroy(memory);
    mf_layout_release(layout);
}

static void run_new_layouts(void) {
    uint32_t number = 0;
    while (number < WARM_UP_ROUNDS)
        round_of_new_layout(number++);
    usage before = measure();
    for (; number < WARM_UP_ROUNDS + NEW_LAYOUT_ROUNDS; number++)
        round_of_new_layout(number);
    require_no_growth("new layouts", NEW_LAYOUT_ROUNDS, before, HEAP_SLACK_BYTES);
}

typedef struct known {
    mf_layout *layout;
    mf_memory *memory;
    mf_code *held;
} known;

static void round_of_known_layout(const known *k, uint32_t number) {
    mf_code *code;
    mf_diag diag;
    must(mf_jit_get(jit, k->layout, NULL, &code, &diag), &diag);
    if (code != k->held)
        abort();
    use(code, k->memory, (number + 1) * MF_PAGE_SIZE);
    mf_code_release(code);
}

static void run_known_layouts(void) {
    known all[KNOWN_LAYOUTS];
    mf_diag diag;
    for (uint32_t i = 0; i < KNOWN_LAYOUTS; i++) {
        all[i] = (known){.layout = make_layout(i)};
        all[i].memory = make_memory(all[i].layout);
        must(mf_jit_get(jit, all[i].layout, NULL, &all[i].held, &diag), &diag);
    }
    for (uint32_t i = 0; i < WARM_UP_ROUNDS; i++)
        round_of_known_layout(&all[i % KNOWN_LAYOUTS], i % KNOWN_LAYOUTS);
    usage before = measure();
    for (uint32_t i = 0; i < KNOWN_LAYOUT_ROUNDS; i++)
        round_of_known_layout(&all[i % KNOWN_LAYOUTS], i % KNOWN_LAYOUTS);
    require_no_growth("known layouts", KNOWN_LAYOUT_ROUNDS, before, HEAP_SLACK_BYTES);
    for (uint32_t i = 0; i < KNOWN_LAYOUTS; i++) {
        mf_code_release(all[i].held);
        mf_memory_destroy(all[i].memory);
        mf_layout_release(all[i].layout);
    }
}

/* Create, change, clone; both are written to and destroyed. */
static void round_of_memory(const mf_layout *layout) {
    mf_memory *memory = make_memory(layout);
    mf_memory *clone;
    mf_layout *live;
    mf_diag diag;
    must(mf_memory_map_region(memory, 0x100000, 0x10000, MF_READ_WRITE, "init", 4, &diag), &diag);
    must(mf_memory_layout(memory, &live, &diag), &diag);
    must(mf_memory_clone(memory, &clone, &diag), &diag);
    if (!mf_memory_fill(memory, 0x100000, 1, 0x10000) || !mf_memory_fill(clone, 0x100000, 2, 0x10000))
        abort();
    must(mf_memory_reset(memory, &diag), &diag);
    mf_layout_release(live);
    mf_memory_destroy(memory);
    mf_memory_destroy(clone);
}

static void run_memories(void) {
    mf_layout *layout = make_layout(0);
    for (unsigned i = 0; i < WARM_UP_ROUNDS; i++)
        round_of_memory(layout);
    usage before = measure();
    for (unsigned i = 0; i < MEMORY_ROUNDS; i++)
        round_of_memory(layout);
    require_no_growth("memories", MEMORY_ROUNDS, before, HEAP_SLACK_BYTES);
    mf_layout_release(layout);
}

int main(void) {
    const mf_jit_config config = {.maker = JIT_MAKER};
    mf_diag diag;
    must(mf_jit_create(&config, &jit, &diag), &diag);
    run_new_layouts();
    run_known_layouts();
    run_memories();
    mf_jit_destroy(jit);
    return 0;
}
