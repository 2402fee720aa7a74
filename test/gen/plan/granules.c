// Granule tables and bitmaps answer as the contract does for every page of the space and of the 33-bit
// indices behind it, at the first and the last bytes of each page, for any number of windows.
//
// RUN: %cc %s %S/lib/evaluate.c -o %t %plan && %t | FileCheck %s
//
// CHECK:      granule-table: {{[1-9][0-9]+}} plans, granules of 2^15 to 2^26, up to 131072 bytes
// CHECK-NEXT: granule-bitmap: {{[1-9][0-9]+}} plans, granules of 2^12 to 2^26, up to 131072 bytes
// CHECK-NEXT: {{[1-9][0-9]*}} with a heap, {{[1-9][0-9]*}} refused
// CHECK-NEXT: 0 disagreements
#include "lib/evaluate.h"
#include "random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LAYOUTS 36
#define TABLE_MOST (1u << 17)

typedef struct seen {
    mf_strategy strategy;
    unsigned plans;
    uint32_t least_log2, most_log2;
    size_t most_bytes;
} seen;

static unsigned char live[MF_PERM_TABLE_PAGES];
static uint8_t table[TABLE_MOST];
static unsigned heaps, refused, disagreements;
static seen all_seen[] = {{MF_STRATEGY_GRANULE_TABLE, 0, 99, 0, 0},
                          {MF_STRATEGY_GRANULE_BITMAP, 0, 99, 0, 0}};

/* ---- Layouts ---- */

static void map(mf_layout_builder *builder, uint64_t first, uint64_t count, mf_perm perm) {
    for (uint64_t page = first; page < first + count; page++)
        live[page] = (unsigned char)perm;
    if (mf_layout_builder_map_region(builder, first * MF_PAGE_SIZE, count * MF_PAGE_SIZE, (mf_access)perm,
                                     NULL, 0, NULL) != MF_OK)
        abort();
}

/* Regions that begin at multiples of `stride` pages and are multiples of `unit` pages. */
static void map_random(mf_layout_builder *builder, random_source *random, uint64_t stride, uint64_t unit,
                       uint64_t span) {
    uint64_t most = random_u64(random) % 3 == 0 ? 2 * stride : stride;
    for (uint64_t regions = random_between(random, 3, 32); regions > 0; regions--) {
        uint64_t first = random_u64(random) % (span / stride) * stride;
        uint64_t count = (1 + random_u64(random) % most / unit) * unit;
        if (first + count <= MF_SPACE_PAGES)
            map(builder, first, count, random_u64(random) % 3 == 0 ? MF_PERM_RO : MF_PERM_RW);
    }
}

/* Every second page: the most windows that there can be. */
static void map_alternating(mf_layout_builder *builder, uint64_t first, uint64_t pages) {
    for (uint64_t page = first; page < pages; page += 2)
        map(builder, page, 1, MF_PERM_RW);
}

/* A heap where there is room, with a window directly below it every other time. */
static bool add_heap(mf_layout_builder *builder, random_source *random, uint32_t unit, mf_heap *heap) {
    uint64_t first = random_u64(random) % (MF_SPACE_PAGES - 64) / unit * unit;
    uint32_t count = (1 + (uint32_t)(random_u64(random) % 40) / unit) * unit;
    for (uint64_t page = first; page <= first + count; page++)
        if (live[page] != MF_PERM_NONE)
            return false;
    if (mf_layout_builder_set_heap(builder, first * MF_PAGE_SIZE, count, NULL) != MF_OK)
        return false;
    if (first >= unit && live[first - unit] == MF_PERM_NONE && live[first - 1] == MF_PERM_NONE &&
        random_u64(random) % 2 == 0)
        map(builder, first - unit, unit, MF_PERM_RW);
    *heap = (mf_heap){(uint32_t)(first * MF_PAGE_SIZE), count};
    return true;
}

static mf_layout *layout_make(unsigned number, random_source *random, mf_heap *heap) {
    mf_layout_builder *builder = mf_layout_builder_create();
    mf_layout *layout = NULL;
    memset(live, 0, sizeof live);
    *heap = (mf_heap){0};
    if (number < 2)
        map_alternating(builder, number, UINT64_C(1) << (number == 0 ? 20 : 16));
    else if (number == 2)
        map(builder, MF_SPACE_PAGES / 2, MF_SPACE_PAGES / 2, MF_PERM_RW);
    else
        map_random(builder, random, UINT64_C(1) << number % 15,
                   number % 4 == 0 ? 1 : UINT64_C(1) << number % 15,
                   number % 2 == 0 ? MF_SPACE_PAGES : MF_SPACE_PAGES / 16);
    if (number % 8 == 3) {
        map(builder, 0, 1, MF_PERM_RW);
        map(builder, MF_SPACE_PAGES - 1, 1, MF_PERM_RW);
    }
    if (number > 2 && number % 3 == 1)
        heaps += add_heap(builder, random, number % 2 == 0 ? 1 : 16, heap);
    if (mf_layout_builder_finish(builder, &layout, NULL, NULL) != MF_OK)
        abort();
    mf_layout_builder_destroy(builder);
    return layout;
}

/* ---- The contract ---- */

static bool contract_allows(uint64_t index, uint64_t width, mf_perm least) {
    return live[index >> MF_PAGE_LOG2] >= least && live[(index + width - 1) >> MF_PAGE_LOG2] >= least;
}

static bool plan_allows(const mf_plan *plan, evaluated_access access, uint64_t heap_end) {
    evaluated_memory memory = {live, table, heap_end, 0};
    uint64_t touched;
    return evaluate(plan, &memory, access, &touched) == MF_EXIT_ALLOWED;
}

static void compare(const mf_plan *plan, uint64_t heap_end) {
    const mf_accessor_info *info = mf_accessor_info_get(plan->accessor);
    mf_perm least = info->operation == MF_STORE ? MF_PERM_RW : MF_PERM_RO;
    uint64_t width = info->width_bytes;
    for (uint64_t page = 0; page + 1 < MF_PERM_TABLE_PAGES - 1; page++) {
        uint64_t end = (page + 1) * MF_PAGE_SIZE;
        const uint64_t indices[] = {end - MF_PAGE_SIZE, end - width, end - width + 1, end - 1};
        for (size_t i = 0; i < sizeof indices / sizeof indices[0]; i++)
            disagreements += contract_allows(indices[i], width, least) !=
                             plan_allows(plan, (evaluated_access){indices[i], width}, heap_end);
    }
}

/* Of the first step that reads the table. */
static uint32_t granule_log2_of(const mf_plan *plan) {
    const mf_plan_step *step = plan->steps;
    while (step->kind != MF_STEP_TABLE_BYTE && step->kind != MF_STEP_TABLE_BIT)
        step++;
    return step->granule_log2;
}

static void count_plan(seen *seen, const mf_plan *plan) {
    size_t bytes = mf_plan_table_bytes(plan);
    uint32_t log2 = granule_log2_of(plan);
    seen->plans++;
    seen->least_log2 = log2 < seen->least_log2 ? log2 : seen->least_log2;
    seen->most_log2 = log2 > seen->most_log2 ? log2 : seen->most_log2;
    seen->most_bytes = bytes > seen->most_bytes ? bytes : seen->most_bytes;
}

/* At no heap page, at one more, and at all of them. */
static void compare_heaps(const mf_plan *plan, mf_heap heap) {
    uint64_t first = heap.base >> MF_PAGE_LOG2;
    compare(plan, heap.base);
    if (heap.max_pages == 0)
        return;
    for (uint32_t grown = 1; grown <= heap.max_pages; grown += heap.max_pages - 1 + (heap.max_pages == 1)) {
        for (uint64_t page = first; page < first + grown; page++)
            live[page] = MF_PERM_RW;
        compare(plan, heap.base + (uint64_t)grown * MF_PAGE_SIZE);
    }
    for (uint64_t page = first; page < first + heap.max_pages; page++)
        live[page] = MF_PERM_NONE;
}

static void compare_layout(const mf_layout *layout, mf_heap heap, seen *seen) {
    static const mf_accessor_id IDS[] = {MF_LOAD_U8, MF_LOAD_U32, MF_STORE_U16, MF_STORE_U64};
    mf_accessor_options options = {.strategy = seen->strategy, .index = MF_INDEX_U33};
    for (size_t i = 0; i < sizeof IDS / sizeof IDS[0]; i++) {
        mf_plan plan;
        mf_status status = mf_plan_make(layout, IDS[i], &options, &plan, NULL);
        refused += status == MF_INEXACT_STRATEGY;
        if (status != MF_OK || plan.check == MF_CHECK_ALWAYS_FAULT)
            continue;
        if (mf_plan_table_bytes(&plan) > sizeof table)
            abort();
        count_plan(seen, &plan);
        mf_plan_fill_table(layout, &plan, table);
        compare_heaps(&plan, heap);
    }
}

int main(void) {
    random_source random = {12};
    for (unsigned number = 0; number < LAYOUTS; number++) {
        mf_heap heap;
        mf_layout *layout = layout_make(number, &random, &heap);
        compare_layout(layout, heap, &all_seen[0]);
        compare_layout(layout, heap, &all_seen[1]);
        mf_layout_release(layout);
    }
    for (size_t i = 0; i < 2; i++)
        printf("%s: %u plans, granules of 2^%u to 2^%u, up to %zu bytes\n",
               i == 0 ? "granule-table" : "granule-bitmap", all_seen[i].plans, all_seen[i].least_log2,
               all_seen[i].most_log2, all_seen[i].most_bytes);
    printf("%u with a heap, %u refused\n", heaps, refused);
    printf("%u disagreements\n", disagreements);
    return disagreements != 0;
}
