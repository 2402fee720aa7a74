// The generated matrix: a layout for every check, times every combination of options, times every accessor,
// times every edge; value, status, fault record and memory against the reference.
//
// RUN: %cc %s %reference %S/../lib/engines_hosted.c %S/../lib/engines_inline.c -o %t %gen
// RUN: %t | FileCheck %s
//
// Without an operating system: every pair of permissions, and the last page.
//
// RUN: %bare-sets %t.sets
// RUN: %bare-cc %s %reference %bare-lib/engines_bare.c %t.sets/*.o -o %t.kernel
// RUN: %boot %t.kernel | FileCheck %s --check-prefix=BARE
// RUN: %bare-cc -DKERNEL_FRAMES=MF_BARE_FRAMES_AT_TOUCH %s %reference %bare-lib/engines_bare.c %t.sets/*.o -o %t.touch
// RUN: %boot %t.touch | FileCheck %s --check-prefix=BARE
//
// BARE: pairs of permissions: 9 layouts, [[#]] accesses, [[#]] faults
// BARE-NEXT: permissions of the last page: 3 layouts, [[#]] accesses, [[#]] faults
// BARE-NEXT: bare/generic: [[#]] accesses
// BARE-NEXT: bare/aot: [[#]] accesses
// BARE-NEXT: all engines agree
//
// There is one thread; the thread sanitizer only makes every 4 GiB reservation slow.
// UNSUPPORTED: sanitize-thread
//
// CHECK: always-fault: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: always-fault-stores: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: whole-space: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: bound: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: bound-2gib: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: window: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: window-mixed: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: window-high: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: window-to-top: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: two-windows: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: two-windows-ends: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: two-windows-forced: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: heap-joined: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: heap-joined-empty: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: heap-joined-read-only: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: heap-alone: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: heap-alone-empty: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: heap-at-0: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: heap-at-0-empty: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: heap-full: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: heap-to-top: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: heap-and-window-below: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: heap-and-window-above: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: heap-touching: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: heap-up-to-region: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: perm-table: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: perm-table-forced: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: perm-table-hot: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: perm-table-hot-heap: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: perm-table-hot-heap-full: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: two-windows-hot: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: heap-and-window-hot: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: in-turn: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: in-turn-heap: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: in-turn-heap-cold: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: few-windows: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: few-windows-heap-first: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: few-windows-heap-middle: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: few-windows-heap-last: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: immediate-bitmap: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: immediate-bitmap-ends: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: immediate-bitmap-heap: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: granule-table: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: granule-table-ends: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: granule-table-heap: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: granule-table-heap-empty: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: granule-table-hot: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: granule-bitmap: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: granule-bitmap-ends: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: granule-bitmap-large: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: granule-bitmap-heap: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: granule-bitmap-heap-full: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: bounds: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: bounds-heap: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: bounds-whole-space: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: bounds-empty: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: none: {{[1-9][0-9]*}} accesses, 0 faults
// CHECK-NEXT: pairs of permissions: 9 layouts, {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: permissions of the last page: 3 layouts, {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: copy/generic: {{[1-9][0-9]*}} accesses
// CHECK-NEXT: copy/jit: {{[1-9][0-9]*}} accesses
// CHECK-NEXT: copy/stencil: {{[1-9][0-9]*}} accesses
// CHECK-NEXT: copy/inline: {{[1-9][0-9]*}} accesses
// CHECK-NEXT: x86_paged/generic: {{[1-9][0-9]*}} accesses
// CHECK-NEXT: x86_paged/jit: {{[1-9][0-9]*}} accesses
// CHECK-NEXT: x86_paged/stencil: {{[1-9][0-9]*}} accesses
// CHECK-NEXT: x86_paged/inline: {{[1-9][0-9]*}} accesses
// CHECK-NEXT: all engines agree
#include "random.h"
#include "reference_compare.h"

#include <memfold/layout.h>
#include <memfold/plan.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define SCENE_REGIONS_MAX 6
#define ADDRESSES_MAX 640
/* How far from an edge an access of at most 8 bytes still says something. */
#define EDGE_REACH 9

/* A layout made for one check, and the check that the plan must have for loads and for stores. */
typedef struct scene {
    const char *name;
    mf_check load_check;
    mf_check store_check;
    mf_policy policy;
    mf_strategy strategy;
    mf_region regions[SCENE_REGIONS_MAX];
    mf_heap heap;
    uint64_t sbrk_bytes;
    uint32_t hot_address; /* 0: nothing is known */
    bool is_whole_space;  /* then a byte at a 32-bit address is always allowed instead */
} scene;

#define RO MF_READ_ONLY
#define RW MF_READ_WRITE
#define BOTH(check) .load_check = MF_CHECK_##check, .store_check = MF_CHECK_##check

/* The plan needs no LLVM, but a library that a kernel lacks. */
#if __STDC_HOSTED__
static const scene SCENES[] = {
    {"always-fault", BOTH(ALWAYS_FAULT)},
    {"always-fault-stores", MF_CHECK_WINDOW, MF_CHECK_ALWAYS_FAULT, .regions = {{0x20000, 0x2000, RO}}},
    {"whole-space", BOTH(BOUND), .regions = {{0, MF_SPACE_BYTES, RW}}, .is_whole_space = true},
    {"bound", BOTH(BOUND), .regions = {{0, 0x3000, RW}}},
    {"bound-2gib", BOTH(BOUND), .regions = {{0, 0x80000000, RW}}},
    {"window", BOTH(WINDOW), .regions = {{0x20000, 0x3000, RW}}},
    {"window-mixed", BOTH(WINDOW),
     .regions = {{0x1000, 0x1000, RO}, {0x2000, 0x1000, RW}, {0x3000, 0x1000, RO}}},
    {"window-high", BOTH(WINDOW), .regions = {{0x7FFFF000, 0x2000, RW}}},
    {"window-to-top", BOTH(WINDOW), .regions = {{0xFFFFE000, 0x2000, RW}}},
    {"two-windows", BOTH(TWO_WINDOWS), .regions = {{0x10000, 0x1000, RW}, {0x12000, 0x2000, RW}}},
    {"two-windows-ends", BOTH(TWO_WINDOWS), .regions = {{0, 0x1000, RW}, {0xFFFFF000, 0x1000, RW}}},
    {"two-windows-forced", BOTH(TWO_WINDOWS), .strategy = MF_STRATEGY_TWO_WINDOWS,
     .regions = {{0x20000, 0x3000, RW}}},
    {"heap-joined", BOTH(HEAP), .regions = {{0x10000, 0x2000, RW}}, .heap = {0x12000, 4},
     .sbrk_bytes = 0x1801},
    {"heap-joined-empty", BOTH(HEAP), .regions = {{0x10000, 0x2000, RW}}, .heap = {0x12000, 4}},
    {"heap-joined-read-only", BOTH(HEAP), .regions = {{0x10000, 0x2000, RO}}, .heap = {0x12000, 4},
     .sbrk_bytes = 1},
    {"heap-alone", BOTH(HEAP), .heap = {0x30000, 4}, .sbrk_bytes = 0x1000},
    {"heap-alone-empty", BOTH(HEAP), .heap = {0x30000, 4}},
    {"heap-at-0", BOTH(HEAP), .heap = {0, 4}, .sbrk_bytes = 0x1001},
    {"heap-at-0-empty", BOTH(HEAP), .heap = {0, 4}},
    {"heap-full", BOTH(HEAP), .heap = {0x30000, 2}, .sbrk_bytes = 0x2000},
    {"heap-to-top", BOTH(HEAP), .heap = {0xFFFFE000, 2}, .sbrk_bytes = 0x2000},
    {"heap-and-window-below", BOTH(HEAP), .regions = {{0, 0x2000, RW}}, .heap = {0x4000, 4},
     .sbrk_bytes = 0x2000},
    {"heap-and-window-above", BOTH(HEAP), .regions = {{0x10000, 0x1000, RW}, {0xFFFFF000, 0x1000, RW}},
     .heap = {0x11000, 4}, .sbrk_bytes = 0x2000},
    {"heap-touching", BOTH(PERM_TABLE), .regions = {{0x12000, 0x1000, RW}}, .heap = {0x10000, 2},
     .sbrk_bytes = 0x2000},
    {"heap-up-to-region", BOTH(PERM_TABLE), .regions = {{0x12000, 0x1000, RW}}, .heap = {0x10000, 8},
     .sbrk_bytes = 0x2000},
    {"perm-table", BOTH(PERM_TABLE),
     .regions = {{0, 0x1000, RW},
                 {0x2000, 0x1000, RO},
                 {0x3000, 0x1000, RW},
                 {0x6000, 0x1000, RW},
                 {0x10000, 0x2000, RW},
                 {0xFFFFF000, 0x1000, RW}}},
    {"perm-table-forced", BOTH(PERM_TABLE), .strategy = MF_STRATEGY_PERM_TABLE,
     .regions = {{0x20000, 0x3000, RW}}},
    {"perm-table-hot", BOTH(PERM_TABLE), .hot_address = 0x11000, .strategy = MF_STRATEGY_PERM_TABLE,
     .regions = {{0, 0x1000, RW}, {0x3000, 0x1000, RO}, {0x10000, 0x2000, RW}, {0xFFFFF000, 0x1000, RW}}},
    {"perm-table-hot-heap", BOTH(PERM_TABLE), .hot_address = 0x31000, .strategy = MF_STRATEGY_PERM_TABLE,
     .regions = {{0x10000, 0x2000, RW}}, .heap = {0x30000, 4}, .sbrk_bytes = 0x1001},
    {"perm-table-hot-heap-full", BOTH(PERM_TABLE), .hot_address = 0x10000, .regions = {{0x12000, 0x1000, RW}},
     .heap = {0x10000, 2}, .sbrk_bytes = 0x2000},
    {"two-windows-hot", BOTH(TWO_WINDOWS), .strategy = MF_STRATEGY_TWO_WINDOWS, .hot_address = 0xFFFFF000,
     .regions = {{0x20000, 0x1000, RW}, {0xFFFFF000, 0x1000, RW}}},
    {"heap-and-window-hot", BOTH(HEAP), .strategy = MF_STRATEGY_HEAP, .hot_address = 0x4000,
     .regions = {{0, 0x2000, RW}}, .heap = {0x4000, 4}},
    {"in-turn", BOTH(IN_TURN), .strategy = MF_STRATEGY_IN_TURN, .hot_address = 0x11000,
     .regions = {{0, 0x1000, RW}, {0x3000, 0x1000, RW}, {0x10000, 0x2000, RW}, {0xFFFFF000, 0x1000, RW}}},
    {"in-turn-heap", BOTH(IN_TURN), .strategy = MF_STRATEGY_IN_TURN, .hot_address = 0x31000,
     .regions = {{0, 0x1000, RO}, {0x10000, 0x2000, RW}, {0xFFFFF000, 0x1000, RW}}, .heap = {0x30000, 4},
     .sbrk_bytes = 0x1001},
    {"in-turn-heap-cold", BOTH(IN_TURN), .strategy = MF_STRATEGY_IN_TURN, .hot_address = 0x10000,
     .regions = {{0x10000, 0x2000, RO}, {0x20000, 0x1000, RW}}, .heap = {0x30000, 4}},
    {"few-windows", BOTH(FEW_WINDOWS), .strategy = MF_STRATEGY_FEW_WINDOWS,
     .regions = {{0, 0x1000, RW}, {0x3000, 0x1000, RW}, {0x10000, 0x2000, RO}, {0xFFFFF000, 0x1000, RW}}},
    {"few-windows-heap-first", BOTH(FEW_WINDOWS), .strategy = MF_STRATEGY_FEW_WINDOWS,
     .regions = {{0x10000, 0x1000, RO}, {0x12000, 0x2000, RW}}, .heap = {0, 4}, .sbrk_bytes = 0x1001},
    {"few-windows-heap-middle", BOTH(FEW_WINDOWS), .strategy = MF_STRATEGY_FEW_WINDOWS,
     .regions = {{0, 0x1000, RO}, {0x12000, 0x2000, RW}, {0xFFFFF000, 0x1000, RW}}, .heap = {0x3000, 4},
     .sbrk_bytes = 0x3001},
    {"few-windows-heap-last", BOTH(FEW_WINDOWS), .strategy = MF_STRATEGY_FEW_WINDOWS,
     .regions = {{0, 0x1000, RW}, {0x12000, 0x2000, RW}}, .heap = {0xFFFFC000, 4}, .sbrk_bytes = 0x4000},
    {"immediate-bitmap", BOTH(IMMEDIATE_BITMAP), .strategy = MF_STRATEGY_IMMEDIATE_BITMAP,
     .regions = {{0x1000, 0x1000, RW},
                 {0x2000, 0x1000, RO},
                 {0x5000, 0x1000, RW},
                 {0x3F000, 0x1000, RO},
                 {0x40000, 0x1000, RW}}},
    {"immediate-bitmap-ends", BOTH(IMMEDIATE_BITMAP), .strategy = MF_STRATEGY_IMMEDIATE_BITMAP,
     .regions = {{0, 0x4000000, RW}, {0x10000000, 0x4000000, RO}, {0xFC000000, 0x4000000, RW}}},
    {"immediate-bitmap-heap", BOTH(IMMEDIATE_BITMAP), .strategy = MF_STRATEGY_IMMEDIATE_BITMAP,
     .regions = {{0x10000, 0x1000, RW}, {0x12000, 0x1000, RO}, {0x30000, 0x1000, RW}}, .heap = {0x20000, 4},
     .sbrk_bytes = 0x1001},
    {"granule-table", BOTH(GRANULE_TABLE), .strategy = MF_STRATEGY_GRANULE_TABLE,
     .regions = {{0x10000, 0x8000, RW},
                 {0x20000, 0x10000, RO},
                 {0x30000, 0x8000, RW},
                 {0x7FFF8000, 0x10000, RW},
                 {0xFFF00000, 0x10000, RO}}},
    {"granule-table-ends", BOTH(GRANULE_TABLE), .strategy = MF_STRATEGY_GRANULE_TABLE,
     .regions = {{0, 0x10000, RW}, {0x40000, 0x10000, RO}, {0xFFFF0000, 0x10000, RW}}},
    {"granule-table-heap", BOTH(GRANULE_TABLE), .strategy = MF_STRATEGY_GRANULE_TABLE,
     .regions = {{0x10000, 0x8000, RW}, {0x40000, 0x10000, RO}, {0xFFFF0000, 0x10000, RW}},
     .heap = {0x18000, 8}, .sbrk_bytes = 0x2001},
    {"granule-table-heap-empty", BOTH(GRANULE_TABLE), .strategy = MF_STRATEGY_GRANULE_TABLE,
     .regions = {{0x40000, 0x10000, RO}, {0xFFFF0000, 0x10000, RW}}, .heap = {0x18000, 8}},
    {"granule-table-hot", BOTH(GRANULE_TABLE), .strategy = MF_STRATEGY_GRANULE_TABLE, .hot_address = 0x40000,
     .regions = {{0, 0x10000, RW}, {0x40000, 0x10000, RW}, {0xFFFF0000, 0x10000, RW}}},
    {"granule-bitmap", BOTH(GRANULE_BITMAP), .strategy = MF_STRATEGY_GRANULE_BITMAP,
     .regions = {{0x1000, 0x1000, RW},
                 {0x2000, 0x1000, RO},
                 {0x3000, 0x1000, RW},
                 {0x1F000, 0x2000, RW},
                 {0x3F000, 0x1000, RO},
                 {0x7FFFF000, 0x2000, RW}}},
    {"granule-bitmap-ends", BOTH(GRANULE_BITMAP), .strategy = MF_STRATEGY_GRANULE_BITMAP,
     .regions = {{0, 0x1000, RW}, {0x20000, 0x1000, RO}, {0xFFFFF000, 0x1000, RW}}},
    {"granule-bitmap-large", BOTH(GRANULE_BITMAP), .strategy = MF_STRATEGY_GRANULE_BITMAP,
     .regions = {{0, 0x4000000, RW}, {0x10000000, 0x4000000, RO}, {0xFC000000, 0x4000000, RW}}},
    {"granule-bitmap-heap", BOTH(GRANULE_BITMAP), .strategy = MF_STRATEGY_GRANULE_BITMAP,
     .regions = {{0, 0x1000, RW}, {0x20000, 0x1000, RO}, {0xFFFFF000, 0x1000, RW}}, .heap = {0x21000, 3},
     .sbrk_bytes = 0x1001},
    {"granule-bitmap-heap-full", BOTH(GRANULE_BITMAP), .strategy = MF_STRATEGY_GRANULE_BITMAP,
     .regions = {{0, 0x1000, RW}, {0x20000, 0x1000, RW}}, .heap = {0xFFFFD000, 3}, .sbrk_bytes = 0x3000},
    {"bounds", BOTH(BOUND), .policy = MF_POLICY_BOUNDS,
     .regions = {{0x2000, 0x1000, RO}, {0x5000, 0x1000, RW}}},
    {"bounds-heap", BOTH(BOUND), .policy = MF_POLICY_BOUNDS, .regions = {{0x2000, 0x1000, RW}},
     .heap = {0x4000, 2}, .sbrk_bytes = 1},
    {"bounds-whole-space", BOTH(BOUND), .policy = MF_POLICY_BOUNDS, .regions = {{0xFFFFF000, 0x1000, RO}},
     .is_whole_space = true},
    {"bounds-empty", BOTH(ALWAYS_FAULT), .policy = MF_POLICY_BOUNDS},
    {"none", BOTH(ALWAYS_ALLOWED), .policy = MF_POLICY_NONE,
     .regions = {{0, 0x1000, RW}, {0x3000, 0x1000, RO}, {0x20000, 0x2000, RW}, {0xFFFFF000, 0x1000, RW}}},
};
#endif

/* A scene that is set up, with a subject for each engine that serves the options of the moment. */
typedef struct stage {
    const scene *scene;
    mf_layout *layout;
    mf_image *image;
    reference *reference;
    mf_accessor_options options;
    subject subjects[ENGINE_MAX];
    size_t subject_count;
    uint64_t addresses[ADDRESSES_MAX];
    size_t address_count;
} stage;

typedef struct tally {
    uint64_t accesses;
    uint64_t faults;
} tally;

static random_source source = {1};
static uint64_t accesses_by_engine[ENGINE_MAX];
static const stage *current_stage;

static void describe_stage(void) {
    const mf_accessor_options *o = &current_stage->options;
    printf("scene %s, endian %d on_fault %d base %d index %d spectre %d\n", current_stage->scene->name,
           (int)o->endian, (int)o->on_fault, (int)o->base, (int)o->index, (int)o->spectre);
}

/* ---- Addresses ---- */

static void add_address(stage *t, uint64_t index) {
    if (t->address_count == ADDRESSES_MAX)
        abort();
    t->addresses[t->address_count++] = index;
}

/* Every address around `edge`, on the circle of 32-bit addresses, and 2^32 above where that is not too far.
 */
static void add_edge(stage *t, uint64_t edge) {
    for (uint64_t delta = 0; delta <= 2 * EDGE_REACH; delta++)
        add_address(t, (uint32_t)(edge + delta - EDGE_REACH));
}

/* The same around edges at and above 2^32, for 33-bit indices. */
static void add_u33_addresses(stage *t) {
    for (uint64_t delta = 0; delta <= EDGE_REACH; delta++) {
        add_address(t, MF_SPACE_BYTES + delta);
        add_address(t, 2 * (MF_SPACE_BYTES - 1) - delta);
        add_address(t, MF_SPACE_BYTES + 0x20000 + delta);
    }
    add_address(t, UINT64_C(0x180000000));
}

static void collect_addresses(stage *t) {
    const unsigned char *perms = t->reference->now.perms;
    add_edge(t, 0);
    for (uint32_t page = 1; page < MF_SPACE_PAGES; page++)
        if (perms[page] != perms[page - 1])
            add_edge(t, (uint64_t)page * MF_PAGE_SIZE);
    add_edge(t, reference_bounds_end(t->reference));
    add_edge(t, t->reference->now.heap_top);
    add_u33_addresses(t);
}

/* ---- Setting up ---- */

static void place_bytes(stage *t, mf_layout_builder *builder, uint64_t start) {
    unsigned char bytes[32];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (unsigned char)random_u64(&source);
        reference_poke(t->reference, start + i, bytes[i]);
    }
    mf_diag diag;
    engines_must(mf_layout_builder_set_bytes(builder, start, bytes, sizeof bytes, &diag), &diag, "set_bytes");
}

/* Random bytes at both ends of every region. */
static void build(stage *t) {
    mf_layout_builder *builder = mf_layout_builder_create();
    mf_heap heap = t->scene->heap;
    mf_diag diag;
    uint64_t offending;
    t->reference = reference_create(heap);
    engines_must(mf_layout_builder_set_heap(builder, heap.base, heap.max_pages, &diag), &diag, "set_heap");
    for (size_t i = 0; i < SCENE_REGIONS_MAX && t->scene->regions[i].size > 0; i++) {
        mf_region r = t->scene->regions[i];
        engines_must(mf_layout_builder_map_region(builder, r.start, r.size, r.access, NULL, 0, &diag), &diag,
                     "map_region");
        reference_map_region(t->reference, r.start, r.size, r.access, NULL, 0, &offending);
        place_bytes(t, builder, r.start);
        place_bytes(t, builder, r.start + r.size - 32);
    }
    reference_seal(t->reference);
    engines_must(mf_layout_builder_finish(builder, &t->layout, &t->image, &diag), &diag, "finish");
    mf_layout_builder_destroy(builder);
}

static mf_memory *make_memory(const stage *t, const engine *engine) {
    mf_memory *memory;
    mf_diag diag;
    uint64_t old_top;
    /* Code for 32-bit indices serves memories for both kinds. */
    bool is_narrow = t->options.index == MF_INDEX_U32 && t->options.spectre == MF_SPECTRE_NONE;
    const mf_memory_config config = {.backend = engine->backend,
                                     .index = is_narrow ? MF_MEMORY_U32 : MF_MEMORY_U33};
    engines_must(mf_memory_create_with(t->layout, t->image, &config, &memory, &diag), &diag, "create");
    engines_must(mf_memory_sbrk(memory, t->scene->sbrk_bytes, &old_top, &diag), &diag, "sbrk");
    return memory;
}

static void stage_open(stage *t, const scene *scene) {
    *t = (stage){.scene = scene};
    current_stage = t;
    build(t);
    uint64_t old_top;
    if (!reference_sbrk(t->reference, scene->sbrk_bytes, &old_top))
        abort();
    collect_addresses(t);
}

static void stage_close(stage *t) {
    reference_destroy(t->reference);
    mf_layout_release(t->layout);
    mf_image_release(t->image);
}

#if __STDC_HOSTED__
/* ---- The check that the scene is made for ---- */

static mf_check expected_check(const scene *scene, const mf_accessor_info *info, mf_index index) {
    if (scene->is_whole_space && index == MF_INDEX_U32 && info->width_bytes == 1)
        return MF_CHECK_ALWAYS_ALLOWED;
    return info->operation == MF_LOAD ? scene->load_check : scene->store_check;
}

static bool has_hot_step(const mf_plan *plan) {
    for (uint32_t i = 0; i < plan->step_count; i++)
        if (plan->steps[i].percent > 0)
            return true;
    return false;
}

static void require_checks(const stage *t) {
    for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++) {
        mf_plan plan;
        mf_diag diag;
        const mf_accessor_info *info = mf_accessor_info_get(id);
        engines_must(mf_plan_make(t->layout, id, &t->options, &plan, &diag), &diag, "mf_plan_make");
        mf_check wanted = expected_check(t->scene, info, t->options.index);
        if (wanted == MF_CHECK_IN_TURN && t->options.spectre == MF_SPECTRE_MASK)
            wanted = MF_CHECK_FEW_WINDOWS;
        bool wants_hot = t->options.hot_percent > 0 && t->options.spectre == MF_SPECTRE_NONE;
        if (plan.check == wanted && has_hot_step(&plan) == wants_hot)
            continue;
        printf("%s: the check of %s is %s, not %s\n", t->scene->name, info->name, mf_check_name(plan.check),
               mf_check_name(wanted));
        exit(1);
    }
}
#endif

/* ---- Sweeps ---- */

/* Under the policy none only what the client has checked may be asked. */
static bool may_ask(const stage *t, access a) {
    const mf_accessor_info *info = mf_accessor_info_get(a.id);
    if (t->options.index == MF_INDEX_U32 && a.index >= MF_SPACE_BYTES)
        return false;
    return t->options.policy != MF_POLICY_NONE ||
           reference_is_accessible(t->reference, a.index, info->width_bytes, info->operation);
}

static void sweep_access(stage *t, access a, tally *counts) {
    expectation expected = reference_access(t->reference, &t->options, a);
    for (size_t i = 0; i < t->subject_count; i++) {
        compare_access(t->reference, expected, &t->subjects[i], a);
        accesses_by_engine[t->subjects[i].engine - ENGINES]++;
    }
    counts->accesses++;
    counts->faults += expected.status != 0;
}

static void sweep_accessors(stage *t, tally *counts) {
    for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++)
        for (size_t i = 0; i < t->address_count; i++) {
            access a = {id, t->addresses[i], random_u64(&source)};
            if (may_ask(t, a))
                sweep_access(t, a, counts);
        }
}

/* One combination of options, on memories as they were created. */
static void sweep_options(stage *t, tally *counts) {
    uint64_t old_top;
    reference_reset(t->reference);
    reference_sbrk(t->reference, t->scene->sbrk_bytes, &old_top);
    t->subject_count = 0;
    for (size_t i = 0; i < ENGINE_COUNT; i++)
        if (ENGINES[i].serves(&t->options))
            subject_init(&t->subjects[t->subject_count++], &ENGINES[i], make_memory(t, &ENGINES[i]),
                         &t->options, false);
    sweep_accessors(t, counts);
    for (size_t i = 0; i < t->subject_count; i++) {
        compare_bytes(t->reference, &t->subjects[i]);
        compare_pages_state(t->reference, &t->subjects[i]);
        subject_fini(&t->subjects[i]);
    }
}

/* Bits of a number choose among the options that have two values; `base` has three. */
static mf_accessor_options options_of(const scene *scene, unsigned bits, mf_base base) {
    return (mf_accessor_options){
        .policy = scene->policy,
        .strategy = scene->strategy,
        .hot_address = scene->hot_address,
        .hot_percent = scene->hot_address == 0 ? 0 : 99,
        .base = base,
        .on_fault = bits & 1 ? MF_ON_FAULT_TRAP : MF_ON_FAULT_RETURN,
        .index = bits & 2 ? MF_INDEX_U33 : MF_INDEX_U32,
        .spectre = bits & 4 ? MF_SPECTRE_MASK : MF_SPECTRE_NONE,
        .endian = bits & 8 ? MF_BIG_ENDIAN : MF_LITTLE_ENDIAN,
    };
}

#if __STDC_HOSTED__

/*
 * Under the address sanitizer, which makes this test ten times as slow, every fifth combination of options: 5
 * and the 48 combinations have no common factor, so in all scenes together each one is tried.
 */
#ifndef __has_feature
#define __has_feature(feature) 0
#endif
#if __has_feature(address_sanitizer) || defined(__SANITIZE_ADDRESS__)
#define COMBINATIONS_STEP 5
#else
#define COMBINATIONS_STEP 1
#endif

static void run_scene(const scene *scene) {
    static unsigned round;
    static stage t;
    tally counts = {0};
    stage_open(&t, scene);
    for (unsigned bits = 0; bits < 16; bits++)
        for (mf_base base = MF_BASE_VIEW; base <= MF_BASE_CONSTANT; base++) {
            if (round++ % COMBINATIONS_STEP != 0)
                continue;
            t.options = options_of(scene, bits, base);
            t.options.order = random_one_in(&source, 2) ? MF_ORDER_GUEST : MF_ORDER_ALL; /* of paged traps */
            require_checks(&t);
            sweep_options(&t, &counts);
        }
    stage_close(&t);
    printf("%s: %" PRIu64 " accesses, %" PRIu64 " faults\n", scene->name, counts.accesses, counts.faults);
}
#endif

/* ---- Permissions: whatever the check is, byte order has no say in them, nor what a base argument is ---- */

static void sweep_permissions(const scene *scene, tally *counts) {
    static stage t;
    stage_open(&t, scene);
    for (unsigned bits = 0; bits < 16; bits++) {
        t.options = options_of(scene, bits & 7, bits & 8 ? MF_BASE_CONSTANT : MF_BASE_VIEW);
        sweep_options(&t, counts);
    }
    stage_close(&t);
}

/* The regions of a scene; a page that is MF_PERM_NONE is not among them. */
static void add_page(scene *scene, size_t *count, uint64_t start, mf_perm perm) {
    if (perm != MF_PERM_NONE)
        scene->regions[(*count)++] = (mf_region){start, MF_PAGE_SIZE, (mf_access)perm};
}

static void run_pairs(void) {
    tally counts = {0};
    unsigned layouts = 0;
    for (mf_perm low = MF_PERM_NONE; low <= MF_PERM_RW; low++)
        for (mf_perm high = MF_PERM_NONE; high <= MF_PERM_RW; high++) {
            scene pair = {.name = "pairs"};
            size_t count = 0;
            add_page(&pair, &count, 0x10000, low);
            add_page(&pair, &count, 0x11000, high);
            /* The seam is an edge even where the permissions are the same. */
            pair.heap = (mf_heap){0x11000, 0};
            sweep_permissions(&pair, &counts);
            layouts++;
        }
    printf("pairs of permissions: %u layouts, %" PRIu64 " accesses, %" PRIu64 " faults\n", layouts,
           counts.accesses, counts.faults);
}

static void run_last_page(void) {
    tally counts = {0};
    unsigned layouts = 0;
    for (mf_perm perm = MF_PERM_NONE; perm <= MF_PERM_RW; perm++) {
        scene last = {.name = "last page"};
        size_t count = 0;
        add_page(&last, &count, MF_SPACE_BYTES - MF_PAGE_SIZE, perm);
        sweep_permissions(&last, &counts);
        layouts++;
    }
    printf("permissions of the last page: %u layouts, %" PRIu64 " accesses, %" PRIu64 " faults\n", layouts,
           counts.accesses, counts.faults);
}

int main(void) {
    compare_describe = describe_stage;
    engines_start();
#if __STDC_HOSTED__
    for (size_t i = 0; i < sizeof SCENES / sizeof SCENES[0]; i++)
        run_scene(&SCENES[i]);
#endif
    run_pairs();
    run_last_page();
    engines_stop();
    for (size_t i = 0; i < ENGINE_COUNT; i++)
        printf("%s: %" PRIu64 " accesses\n", ENGINES[i].name, accesses_by_engine[i]);
    printf("all engines agree\n");
    return 0;
}
