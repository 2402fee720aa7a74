// Every plan's steps, evaluated in the words of plan.h, lead exactly where the fault contract says, for
// accesses and for ranges: for layouts of each form, at every live heap end, at all addresses around every
// edge.
//
// RUN: %cc %s %S/lib/evaluate.c %S/lib/samples.c -o %t %plan && %t | FileCheck %s

#include "lib/evaluate.h"
#include "lib/samples.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* More than the widest access, so that each of its bytes meets each edge. */
#define NEAR 70

static unsigned char live[MF_PERM_TABLE_PAGES];

/* ---- The contract, byte by byte ---- */

static bool byte_is_accessible(uint64_t index, mf_operation operation) {
    mf_perm perm = index >= MF_SPACE_BYTES ? MF_PERM_NONE : (mf_perm)live[index >> MF_PAGE_LOG2];
    return operation == MF_STORE ? perm == MF_PERM_RW : perm != MF_PERM_NONE;
}

static bool contract_allows(uint64_t index, uint64_t length, mf_operation operation) {
    for (uint64_t i = index; i < index + length; i++)
        if (!byte_is_accessible(i, operation))
            return false;
    return true;
}

/* The rule for empty ranges, and the end of what the operation at hand may touch. */
static mf_empty_range empty_now;
static uint64_t end_now;

static uint64_t accessible_end(mf_operation operation) {
    uint64_t page = MF_SPACE_PAGES;
    while (page > 0 && !byte_is_accessible((page - 1) * MF_PAGE_SIZE, operation))
        page--;
    return page * MF_PAGE_SIZE;
}

/* The same for long ranges: pages between the first and the last byte count once. */
static bool contract_allows_range(uint64_t index, uint64_t length, mf_operation operation) {
    if (length == 0)
        return empty_now == MF_EMPTY_ANYWHERE || index <= end_now;
    if (index + length < index || index + length > MF_SPACE_BYTES)
        return false;
    for (uint64_t i = index; i < index + length; i = (i | (MF_PAGE_SIZE - 1)) + 1)
        if (!byte_is_accessible(i, operation))
            return false;
    return true;
}

/* The first byte that the operation may ever touch: where a mask sends what is mispredicted, unless to 0. */
static uint64_t first_accessible(const mf_layout *layout, mf_operation operation) {
    mf_window window;
    mf_heap heap = mf_layout_heap(layout);
    bool is_there = mf_layout_window_lookup(layout, operation, 0, &window);
    if (heap.max_pages > 0 && (!is_there || heap.base < window.start))
        return heap.base;
    return is_there ? window.start : 0;
}

/* The table of the plan at hand. */
static uint8_t table[1 << 17];

/* ---- The comparison ---- */

static unsigned long compared, ranges_compared, masks_compared, disagreements;
static unsigned long used[MF_CHECK_COUNT], used_steps[MF_STEP_COUNT];

static void count_plan(const mf_plan *plan) {
    used[plan->check]++;
    for (uint32_t i = 0; i < plan->step_count; i++)
        used_steps[plan->steps[i].kind]++;
}

static void disagree(const mf_plan *plan, const sample *s, uint64_t heap_end, evaluated_access access) {
    char text[512];
    mf_plan_print(plan, text, sizeof text);
    printf("layout '%s' heap end 0x%llx index 0x%llx length %llu: %s\n", s->pages,
           (unsigned long long)heap_end, (unsigned long long)access.index, (unsigned long long)access.length,
           text);
    disagreements++;
}

/* What is decided beforehand holds at every heap end, and without a heap everything is decided. */
static bool decision_holds(const mf_layout *layout, const mf_plan *plan, uint64_t index, bool wanted) {
    mf_plan decided;
    mf_plan_make_at(layout, plan, index, &decided);
    if (decided.check == MF_CHECK_ALWAYS_ALLOWED)
        return wanted;
    if (decided.check == MF_CHECK_ALWAYS_FAULT)
        return !wanted;
    return mf_layout_heap(layout).max_pages > 0 && memcmp(&decided, plan, sizeof decided) == 0;
}

static bool mask_holds(const mf_layout *layout, const mf_plan *plan, uint64_t index, uint64_t touched) {
    bool is_masked = plan->steps[plan->step_count - 1].kind == MF_STEP_MASK;
    bool is_table = plan->check == MF_CHECK_PERM_TABLE || plan->check == MF_CHECK_GRANULE_TABLE ||
                    plan->check == MF_CHECK_GRANULE_BITMAP;
    masks_compared += is_masked;
    if (!is_masked || touched == index)
        return true;
    return touched == (is_table ? 0 : first_accessible(layout, (mf_operation)plan->operation));
}

/*
 * A plan that compares leads to nothing but a panic on a memory of the other backend, and of another layout
 * too unless all that it asks is the memory's permissions.
 */
static bool stamp_holds(const mf_plan *plan, evaluated_memory memory, evaluated_access access) {
    uint64_t touched;
    mf_step_kind kind = (mf_step_kind)plan->steps[0].kind;
    if (kind != MF_STEP_SAME_LAYOUT && kind != MF_STEP_SAME_BACKEND)
        return true;
    bool any_layout = kind == MF_STEP_SAME_BACKEND;
    mf_exit here = evaluate(plan, &memory, access, &touched);
    memory.fingerprint ^= 4;
    mf_exit elsewhere = evaluate(plan, &memory, access, &touched);
    memory.fingerprint ^= 3;
    return elsewhere == (any_layout ? here : MF_EXIT_PANIC) &&
           (!any_layout || plan->check == MF_CHECK_PERM_TABLE) &&
           evaluate(plan, &memory, access, &touched) == MF_EXIT_PANIC;
}

static void compare_at(const mf_layout *layout, const mf_plan *plan, uint64_t index, uint64_t heap_end,
                       const sample *s) {
    evaluated_memory memory = {live, table, heap_end,
                               MF_LAYOUT_STAMP(mf_layout_fingerprint(layout), MF_BACKEND_COPY)};
    evaluated_access access = {index, plan->width_bytes};
    bool wanted = contract_allows(index, plan->width_bytes, (mf_operation)plan->operation);
    uint64_t touched;
    mf_exit exit = evaluate(plan, &memory, access, &touched);
    compared++;
    if (exit != (wanted ? MF_EXIT_ALLOWED : MF_EXIT_FAULT) || !decision_holds(layout, plan, index, wanted) ||
        !mask_holds(layout, plan, index, touched) || !stamp_holds(plan, memory, access))
        disagree(plan, s, heap_end, access);
}

static void compare_edges(const mf_layout *layout, const mf_plan *plan, mf_index index_kind,
                          uint64_t heap_end, const sample *s) {
    uint64_t first = s->first_page == 0 ? 0 : s->first_page - 1;
    uint64_t last = s->first_page + strlen(s->pages) + 1;
    for (uint64_t page = first; page <= last; page++)
        for (uint64_t delta = 0; delta < 2 * NEAR; delta++) {
            uint64_t index = page * MF_PAGE_SIZE + delta - NEAR;
            if (index < MF_SPACE_BYTES || (index_kind == MF_INDEX_U33 && index < 2 * MF_SPACE_BYTES))
                compare_at(layout, plan, index, heap_end, s);
        }
    for (uint64_t delta = 0; delta < NEAR; delta++)
        compare_at(layout, plan, MF_SPACE_BYTES - 1 - delta, heap_end, s);
    for (uint64_t delta = 2; index_kind == MF_INDEX_U33 && delta < NEAR; delta++)
        compare_at(layout, plan, 2 * MF_SPACE_BYTES - delta, heap_end, s);
}

/* The widths of accessors, and others up to the widest. */
static const uint32_t WIDTHS[] = {1, 2, 3, 4, 8, 12, 16, 33, 64};

/* Accessors of the same width have the same steps. */
static bool is_accessors_too(const mf_layout *layout, const mf_accessor_options *options,
                             const mf_plan *plan) {
    for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++) {
        const mf_accessor_info *info = mf_accessor_info_get(id);
        mf_plan other;
        if ((uint32_t)info->operation != plan->operation || info->width_bytes != plan->width_bytes)
            continue;
        if (mf_plan_make(layout, id, options, &other, NULL) != MF_OK)
            return false;
        other.accessor = MF_ACCESSOR_COUNT;
        if (memcmp(&other, plan, sizeof other) != 0)
            return false;
    }
    return true;
}

static void compare_options(const sample *s, const mf_layout *layout, uint64_t heap_end,
                            const mf_accessor_options *options) {
    for (mf_operation operation = MF_LOAD; operation <= MF_STORE; operation++)
        for (size_t i = 0; i < sizeof WIDTHS / sizeof WIDTHS[0]; i++) {
            mf_plan_access access = {.operation = operation, .width_bytes = WIDTHS[i], .in_software = true};
            mf_plan plan;
            mf_status status = mf_plan_make_access(layout, &access, options, &plan, NULL);
            if (status == MF_INEXACT_STRATEGY && options->strategy != MF_STRATEGY_AUTO &&
                options->strategy != MF_STRATEGY_PERM_TABLE)
                continue;
            if (status != MF_OK || mf_plan_table_bytes(&plan) > sizeof table ||
                !is_accessors_too(layout, options, &plan))
                abort();
            count_plan(&plan);
            mf_plan_fill_table(layout, &plan, table);
            compare_edges(layout, &plan, options->index, heap_end, s);
        }
}

/* Each page in its turn is in the hot window. */
static void compare_strategies(const sample *s, const mf_layout *layout, uint64_t heap_end) {
    for (mf_strategy strategy = MF_STRATEGY_AUTO; strategy <= MF_STRATEGY_LAST; strategy++)
        for (mf_index index = MF_INDEX_U32; index <= MF_INDEX_U33; index++) {
            mf_accessor_options options = {.index = index, .strategy = strategy};
            compare_options(s, layout, heap_end, &options);
            options.spectre = MF_SPECTRE_MASK;
            options.stale = MF_STALE_CHECK;
            compare_options(s, layout, heap_end, &options);
            options.spectre = MF_SPECTRE_NONE;
            options.hot_percent = 99;
            for (uint64_t page = 0; page < strlen(s->pages); page += 2) {
                options.hot_address = (uint32_t)((s->first_page + page) * MF_PAGE_SIZE);
                compare_options(s, layout, heap_end, &options);
            }
        }
}

/* ---- Ranges ---- */

static void compare_range(const mf_plan *plan, uint64_t heap_end, const sample *s, evaluated_access access) {
    evaluated_memory memory = {live, NULL, heap_end, 0};
    bool wanted = contract_allows_range(access.index, access.length, (mf_operation)plan->operation);
    uint64_t touched;
    ranges_compared++;
    if (evaluate(plan, &memory, access, &touched) != (wanted ? MF_EXIT_ALLOWED : MF_EXIT_FAULT))
        disagree(plan, s, heap_end, access);
}

/* From around every edge to around every edge, and lengths that run off the space and off 64 bits. */
static void compare_ranges_from(const mf_plan *plan, uint64_t heap_end, const sample *s, uint64_t index) {
    static const uint64_t FAR[] = {0, 1, MF_SPACE_BYTES, UINT64_MAX - MF_SPACE_BYTES, UINT64_MAX};
    uint64_t end = (s->first_page + strlen(s->pages) + 1) * MF_PAGE_SIZE;
    for (uint64_t edge = 0; index + edge <= end; edge += MF_PAGE_SIZE)
        for (uint64_t delta = 0; delta < 5; delta++)
            if (edge + delta >= 2)
                compare_range(plan, heap_end, s, (evaluated_access){index, edge + delta - 2});
    for (size_t i = 0; i < sizeof FAR / sizeof FAR[0]; i++)
        compare_range(plan, heap_end, s, (evaluated_access){index, FAR[i]});
}

static void compare_ranges(const sample *s, const mf_layout *layout, uint64_t heap_end) {
    uint64_t pages = strlen(s->pages) + 1;
    for (int way = 0; way < 4; way++) {
        mf_operation operation = way % 2 == 0 ? MF_LOAD : MF_STORE;
        empty_now = way < 2 ? MF_EMPTY_ANYWHERE : MF_EMPTY_WITHIN;
        end_now = accessible_end(operation);
        mf_accessor_options options = {.empty_range = empty_now};
        mf_plan plan;
        if (mf_plan_make_range(layout, operation, &options, &plan, NULL) != MF_OK)
            abort();
        count_plan(&plan);
        for (uint64_t page = 0; page <= pages; page++)
            for (uint64_t delta = 0; delta < 5; delta++)
                if (s->first_page + page > 0 || delta >= 2)
                    compare_ranges_from(&plan, heap_end, s,
                                        (s->first_page + page) * MF_PAGE_SIZE + delta - 2);
    }
}

static void compare_sample(const sample *s) {
    uint64_t heap_base = 0;
    uint32_t heap_pages = 0;
    mf_layout_builder *builder = mf_layout_builder_create();
    mf_layout *layout;
    sample_build(s, builder, live, &heap_base, &heap_pages);
    if (mf_layout_builder_finish(builder, &layout, NULL, NULL) != MF_OK)
        abort();
    mf_layout_builder_destroy(builder);
    for (uint32_t grown = 0; grown <= heap_pages; grown++) {
        uint64_t heap_end = heap_base + (uint64_t)grown * MF_PAGE_SIZE;
        if (grown > 0)
            live[(heap_base >> MF_PAGE_LOG2) + grown - 1] = MF_PERM_RW;
        compare_strategies(s, layout, heap_end);
        compare_ranges(s, layout, heap_end);
    }
    mf_layout_release(layout);
}

int main(void) {
    for (size_t i = 0; i < SAMPLE_COUNT; i++)
        compare_sample(&SAMPLES[i]);
    for (mf_check check = 0; check < MF_CHECK_COUNT; check++)
        if (check != MF_CHECK_PAGED)
            printf("%s %s\n", mf_check_name(check), used[check] > 0 ? "compared" : "NOT SEEN");
    for (mf_step_kind kind = 0; kind < MF_STEP_COUNT; kind++)
        if (kind != MF_STEP_MMU && used_steps[kind] == 0)
            printf("step %s NOT SEEN\n", mf_step_name(kind));
    printf("%lu disagreements in more than %d00000 accesses and %d0000 ranges, %s\n", disagreements,
           compared > 500000 ? 5 : 0, ranges_compared > 20000 ? 2 : 0,
           masks_compared > 0 ? "masks" : "NO MASK");
    return disagreements != 0;
}

// CHECK-NOT: layout '
// CHECK: always-fault compared
// CHECK: always-allowed compared
// CHECK: bound compared
// CHECK: window compared
// CHECK: two-windows compared
// CHECK: heap compared
// CHECK: few-windows compared
// CHECK: in-turn compared
// CHECK: immediate-bitmap compared
// CHECK: granule-table compared
// CHECK: granule-bitmap compared
// CHECK: perm-table compared
// CHECK: range compared
// CHECK-NOT: NOT SEEN
// CHECK: 0 disagreements in more than 500000 accesses and 20000 ranges, masks
