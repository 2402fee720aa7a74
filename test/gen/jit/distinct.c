// Two layouts share machine code only if every number of their plans is the same: pairs that differ in one of
// them get code of their own, each exact for its layout; pairs that differ in none share it.
//
// RUN: %cc %s -o %t %gen && %t | FileCheck %s
//
// CHECK:      window-start: own code, exact
// CHECK-NEXT: window-last: own code, exact
// CHECK-NEXT: hole: own code, exact
// CHECK-NEXT: heap-start: own code, exact
// CHECK-NEXT: growth-end-table: own code, exact
// CHECK-NEXT: growth-end-bits: own code, exact
// CHECK-NEXT: table: own code, exact
// CHECK-NEXT: granule: own code, exact
// CHECK-NEXT: hot-window: own code, exact
// CHECK-NEXT: fingerprint: own code, exact
// CHECK-NEXT: limit: own code, exact
//
// Code that asks the memory alone compares no layout, also in a library with assertions.
// CHECK-NEXT: perm-table: shared code, exact
// CHECK-NEXT: paged: shared code, exact

#include <memfold/jit.h>

#include <stdio.h>
#include <stdlib.h>

typedef struct sketch {
    struct {
        uint64_t start, size;
    } regions[4];
    uint32_t heap_base, heap_pages;
} sketch;

typedef struct pair {
    const char *name;
    mf_accessor_options options;
    sketch layouts[2];
} pair;

#define P MF_PAGE_SIZE
#define TABLE .strategy = MF_STRATEGY_GRANULE_BITMAP
#define PERMS .strategy = MF_STRATEGY_PERM_TABLE

static const pair PAIRS[] = {
    {"window-start", {0}, {{.regions = {{0x20000, P}}}, {.regions = {{0x21000, P}}}}},
    {"window-last", {0}, {{.regions = {{0x20000, P}}}, {.regions = {{0x20000, 2 * P}}}}},
    {"hole",
     {.strategy = MF_STRATEGY_TWO_WINDOWS},
     {{.regions = {{0x20000, P}, {0x24000, P}}}, {.regions = {{0x20000, 2 * P}, {0x24000, P}}}}},
    {"heap-start",
     {0},
     {{.heap_base = 0x20000, .heap_pages = 4},
      {.regions = {{0x1f000, P}}, .heap_base = 0x20000, .heap_pages = 4}}},
    /* The same table: what the one heap can grow to is a region of the other layout. */
    {"growth-end-table",
     {TABLE},
     {{.regions = {{0x10000, P}, {0x20000, 4 * P}, {0x30000, P}}},
      {.regions = {{0x10000, P}, {0x30000, P}}, .heap_base = 0x20000, .heap_pages = 4}}},
    {"growth-end-bits",
     {.strategy = MF_STRATEGY_IMMEDIATE_BITMAP},
     {{.regions = {{0x10000, P}, {0x20000, 4 * P}, {0x30000, P}}},
      {.regions = {{0x10000, P}, {0x30000, P}}, .heap_base = 0x20000, .heap_pages = 4}}},
    {"table",
     {TABLE},
     {{.regions = {{0x10000, P}, {0x20000, P}, {0x30000, P}}},
      {.regions = {{0x10000, P}, {0x20000, P}, {0x31000, P}}}}},
    {"granule",
     {TABLE},
     {{.regions = {{0x10000, 0x10000}, {0x40000, 0x10000}}},
      {.regions = {{0x10000, 0x8000}, {0x40000, 0x10000}}}}},
    {"hot-window",
     {PERMS, .hot_address = 0x20000, .hot_percent = 99},
     {{.regions = {{0x10000, P}, {0x20000, P}}}, {.regions = {{0x10000, P}, {0x20000, 2 * P}}}}},
    {"fingerprint",
     {.policy = MF_POLICY_BOUNDS, .stale = MF_STALE_CHECK},
     {{.regions = {{0x10000, P}, {0x30000, P}}}, {.regions = {{0x20000, P}, {0x30000, P}}}}},
    {"limit", {.policy = MF_POLICY_BOUNDS}, {{.regions = {{0x10000, P}}}, {.regions = {{0x10000, 2 * P}}}}},
    {"perm-table",
     {PERMS},
     {{.regions = {{0x10000, P}, {0x20000, P}}}, {.regions = {{0x10000, P}, {0x21000, P}}}}},
    {"paged",
     {.backend = MF_BACKEND_X86_PAGED},
     {{.regions = {{0x10000, P}, {0x20000, P}}}, {.regions = {{0x10000, P}, {0x21000, P}}}}},
};

static void must(mf_status status, const mf_diag *diag) {
    if (status == MF_OK)
        return;
    printf("%s\n", diag->message);
    exit(1);
}

static mf_layout *layout_make(const sketch *s) {
    mf_layout_builder *builder = mf_layout_builder_create();
    mf_layout *layout;
    mf_diag diag;
    for (size_t i = 0; i < 4 && s->regions[i].size > 0; i++)
        must(mf_layout_builder_map_region(builder, s->regions[i].start, s->regions[i].size, MF_READ_WRITE,
                                          NULL, 0, &diag),
             &diag);
    if (s->heap_pages > 0)
        must(mf_layout_builder_set_heap(builder, s->heap_base, s->heap_pages, &diag), &diag);
    must(mf_layout_builder_finish(builder, &layout, NULL, &diag), &diag);
    mf_layout_builder_destroy(builder);
    return layout;
}

/* Every page of the low part, its first byte and the last from which 4 bytes straddle. */
static bool is_exact(const mf_accessors *set, mf_memory *memory, mf_policy policy) {
    mf_view *view = mf_memory_view(memory);
    for (uint32_t page = 0; page < 0x40000 / P; page++) {
        const uint32_t addresses[] = {page * P, page * P + P - 1};
        for (size_t i = 0; i < 2; i++) {
            uint32_t end = addresses[i] + 4;
            bool wanted = policy == MF_POLICY_BOUNDS
                              ? end <= mf_memory_len(memory)
                              : mf_memory_is_accessible(memory, addresses[i], 4, MF_LOAD);
            if ((set->load_u32(view, addresses[i]).status == 0) != wanted)
                return false;
        }
    }
    return true;
}

static void compare(mf_jit *jit, const pair *p) {
    mf_code *codes[2];
    bool exact = true;
    mf_diag diag;
    for (size_t i = 0; i < 2; i++) {
        mf_layout *layout = layout_make(&p->layouts[i]);
        mf_memory *memory;
        must(mf_jit_get(jit, layout, &p->options, &codes[i], &diag), &diag);
        must(mf_memory_create(layout, NULL, p->options.backend, &memory, &diag), &diag);
        exact = exact && is_exact(mf_code_accessors(codes[i]), memory, p->options.policy);
        mf_memory_destroy(memory);
        mf_layout_release(layout);
    }
    bool shared = mf_code_accessors(codes[0])->load_u32 == mf_code_accessors(codes[1])->load_u32;
    printf("%s: %s code, %s\n", p->name, shared ? "shared" : "own", exact ? "exact" : "NOT EXACT");
    mf_code_release(codes[0]);
    mf_code_release(codes[1]);
}

int main(void) {
    mf_jit *jit;
    mf_diag diag;
    must(mf_jit_create(NULL, &jit, &diag), &diag);
    for (size_t i = 0; i < sizeof PAIRS / sizeof PAIRS[0]; i++)
        compare(jit, &PAIRS[i]);
    mf_jit_destroy(jit);
    return 0;
}
