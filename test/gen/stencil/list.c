// What the list of stencils holds: every plan of random layouts under random options, so nothing falls back;
// a check that the planner does not make has no stencil. The table is bounded.
//
// RUN: %stencil-cc %s -o %t %stencil && %t | FileCheck %s
//
// CHECK: {{[1-9][0-9]+}} plan sets of {{[1-9][0-9]+}} checks, 0 outside the list
// CHECK-NEXT: a check in another order: outside the list
// CHECK-NEXT: [[#CHECKS:]] checks and 1282 other pieces
// CHECK-NEXT: at most 2 MiB: 1
#include "random.h"
#include "stencil/table.h"
#include "stencil/write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LAYOUTS 20000

static random_source source = {1};
static unsigned outside;
static unsigned made;
static uint64_t seen[4096];
static unsigned seen_count;

static uint64_t below(uint64_t limit) {
    return random_u64(&source) % limit;
}

static mf_layout *random_layout(void) {
    mf_layout *layout = NULL;
    mf_layout_builder *builder = mf_layout_builder_create();
    uint64_t granule = UINT64_C(1) << (MF_PAGE_LOG2 + below(6));
    uint64_t space = below(2) ? MF_SPACE_BYTES : granule * 64;
    unsigned regions = (unsigned)below(below(3) ? 5 : 30);
    for (unsigned i = 0; i < regions; i++) {
        uint64_t start = below(4) ? below(space / granule) * granule : 0;
        uint64_t bytes = granule * (1 + below(3));
        mf_layout_builder_map_region(builder, start, bytes, below(3) ? MF_READ_WRITE : MF_READ_ONLY, NULL, 0,
                                     NULL); /* past the space: refused */
    }
    if (below(2))
        mf_layout_builder_set_heap(builder, below(space / granule) * granule, below(20), NULL);
    if (mf_layout_builder_finish(builder, &layout, NULL, NULL) != MF_OK)
        exit(1);
    mf_layout_builder_destroy(builder);
    return layout;
}

static mf_accessor_options random_options(void) {
    mf_accessor_options options = {.backend = below(8) ? MF_BACKEND_COPY : MF_BACKEND_X86_PAGED,
                                   .policy = (mf_policy)(below(4) ? 0 : below(3)),
                                   .endian = (mf_endian)below(2),
                                   .on_fault = (mf_on_fault)below(2),
                                   .base = (mf_base)below(3),
                                   .index = (mf_index)below(2),
                                   .spectre = (mf_spectre)below(2),
                                   .stale = (mf_stale)below(2),
                                   .order = (mf_order)below(2)};
    if (options.backend == MF_BACKEND_COPY && options.policy == MF_POLICY_PERMS)
        options.strategy = (mf_strategy)below(MF_STRATEGY_PERM_TABLE + 1);
    if (options.base == MF_BASE_CONSTANT)
        options.base_address = random_u64(&source) >> below(64);
    if (below(2)) {
        options.hot_address = (uint32_t)(random_u64(&source) >> below(64));
        options.hot_percent = 1 + (uint32_t)below(100);
    }
    return options;
}

static void note(uint64_t steps) {
    for (unsigned i = 0; i < seen_count; i++)
        if (seen[i] == steps)
            return;
    if (seen_count < sizeof seen / sizeof seen[0])
        seen[seen_count++] = steps;
}

static void try_set(void) {
    plan_set plans;
    stencil_set set;
    mf_layout *layout = random_layout();
    mf_accessor_options options = random_options();
    if (plan_set_make(layout, &options, &plans, NULL) == MF_OK) {
        made++;
        outside += !stencil_set_choose(&plans, &options, &set);
        for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++) {
            check_shape shape;
            if (check_shape_make(&plans.plans[id], &options, &shape))
                note(shape.steps);
        }
        plan_set_fini(&plans);
    }
    mf_layout_release(layout);
}

/* The steps of two windows the other way round. */
static void try_other_order(void) {
    static const mf_accessor_options OPTIONS;
    plan_set plans;
    stencil_set set;
    mf_layout *layout = NULL;
    mf_layout_builder *builder = mf_layout_builder_create();
    mf_layout_builder_map_region(builder, 0x10000, 0x1000, MF_READ_WRITE, NULL, 0, NULL);
    mf_layout_builder_map_region(builder, 0x20000, 0x1000, MF_READ_WRITE, NULL, 0, NULL);
    if (mf_layout_builder_finish(builder, &layout, NULL, NULL) != MF_OK ||
        plan_set_make(layout, &OPTIONS, &plans, NULL) != MF_OK || !stencil_set_choose(&plans, &OPTIONS, &set))
        exit(1);
    mf_plan_step *steps = plans.plans[MF_STORE_U32].steps;
    mf_plan_step first = steps[0];
    steps[0].kind = steps[1].kind;
    steps[1].kind = first.kind;
    bool is_chosen = stencil_set_choose(&plans, &OPTIONS, &set);
    printf("a check in another order: %s the list\n", is_chosen ? "on" : "outside");
    plan_set_fini(&plans);
    mf_layout_release(layout);
    mf_layout_builder_destroy(builder);
}

int main(void) {
    const stencil_table *t = &STENCIL_TABLE;
    for (unsigned i = 0; i < LAYOUTS; i++)
        try_set();
    printf("%u plan sets of %u checks, %u outside the list\n", made, seen_count, outside);
    try_other_order();
    printf("%u checks and %u other pieces\n", (unsigned)t->check_count, (unsigned)SHAPE_PART_COUNT);
    size_t bytes = t->code_bytes + t->hole_count * sizeof *t->holes + t->stencil_count * sizeof *t->stencils +
                   t->check_count * sizeof *t->checks + (t->slot_mask + 1) * sizeof *t->slots +
                   SHAPE_PART_COUNT * sizeof *t->parts;
    printf("at most 2 MiB: %d\n", bytes <= (size_t)2 << 20);
    return 0;
}
