// What is compared where machine code is shared between layouts sees every difference: each byte of each
// accessor's plan, both tables, and each option, smaller and larger.
//
// RUN: %cc -I%source/gen %s -o %t %plan && %t | FileCheck %s
//
// CHECK:      {{[1-9][0-9]+}} bytes of plans told apart, 0 not
// CHECK-NEXT: tables of loads and of stores told apart
// CHECK-NEXT: 14 options told apart, both ways
#include "plan/set.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static plan_set set_make(void) {
    mf_accessor_options options = {.strategy = MF_STRATEGY_GRANULE_BITMAP};
    mf_layout_builder *builder = mf_layout_builder_create();
    mf_layout *layout;
    plan_set set;
    if (mf_layout_builder_map_region(builder, 0x1000000, 0x1000000, MF_READ_WRITE, NULL, 0, NULL) != MF_OK ||
        mf_layout_builder_map_region(builder, 0x3000000, 0x1000000, MF_READ_ONLY, NULL, 0, NULL) != MF_OK ||
        mf_layout_builder_finish(builder, &layout, NULL, NULL) != MF_OK ||
        plan_set_make(layout, &options, &set, NULL) != MF_OK)
        abort();
    mf_layout_builder_destroy(builder);
    mf_layout_release(layout);
    return set;
}

/* One order for both ways. */
static bool told_apart(const plan_set *a, const plan_set *b) {
    int order = plan_set_compare(a, b);
    int other = plan_set_compare(b, a);
    return (order < 0 && other > 0) || (order > 0 && other < 0);
}

static void compare_plans(const plan_set *set) {
    unsigned long seen = 0, missed = 0;
    static plan_set changed;
    for (size_t i = 0; i < sizeof set->plans; i++) {
        changed = *set;
        ((unsigned char *)changed.plans)[i] ^= 1;
        if (told_apart(set, &changed))
            seen++;
        else
            missed++;
    }
    changed = *set;
    if (plan_set_compare(set, &changed) != 0)
        missed++;
    printf("%lu bytes of plans told apart, %lu not\n", seen, missed);
}

static void compare_tables(const plan_set *set) {
    static uint8_t bytes[1 << 17];
    for (int operation = MF_LOAD; operation <= MF_STORE; operation++) {
        plan_set changed = *set;
        plan_table table = set->tables[operation];
        if (table.byte_count == 0 || table.byte_count > sizeof bytes)
            abort();
        memcpy(bytes, table.bytes, table.byte_count);
        bytes[table.byte_count - 1] ^= 0x80;
        changed.tables[operation].bytes = bytes;
        if (!told_apart(set, &changed))
            abort();
    }
    printf("tables of loads and of stores told apart\n");
}

static void compare_options(void) {
    unsigned count = 0;
    mf_accessor_options none = {0};
#define MF_X(ID, type, field, largest)                                                                       \
    {                                                                                                        \
        mf_accessor_options more = {.field = (type)(largest)};                                               \
        if (plan_compare_options(&none, &more) >= 0 || plan_compare_options(&more, &none) <= 0 ||            \
            plan_compare_options(&more, &more) != 0 || mf_accessor_options_equal(&none, &more) ||            \
            !mf_accessor_options_equal(&more, &more))                                                        \
            abort();                                                                                         \
        count++;                                                                                             \
    }
    MF_ACCESSOR_OPTIONS(MF_X)
#undef MF_X
    printf("%u options told apart, both ways\n", count);
}

int main(void) {
    plan_set set = set_make();
    compare_plans(&set);
    compare_tables(&set);
    compare_options();
    plan_set_fini(&set);
    return 0;
}
