// Every plan, read by the formula its header gives, says exactly what the fault contract says: for layouts of
// each form, at every live heap end, at all addresses around every edge.
//
// RUN: %cc %s -o %t %plan && %t | FileCheck %s

#include <memfold/plan.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NEAR 12

static mf_perm live[MF_PERM_TABLE_PAGES];

/* ---- The contract, byte by byte ---- */

static bool contract_allows(uint64_t index, uint32_t width, mf_operation operation) {
    for (uint64_t i = index; i < index + width; i++) {
        mf_perm perm = i >= MF_SPACE_BYTES ? MF_PERM_NONE : live[i >> MF_PAGE_LOG2];
        if (perm == MF_PERM_NONE || (operation == MF_STORE && perm != MF_PERM_RW))
            return false;
    }
    return true;
}

/* ---- The plan, by the formulas of plan.h ---- */

static bool window_allows(mf_plan_window window, uint64_t index) {
    return index - window.start <= window.last;
}

static bool growing_window_allows(mf_plan_window window, uint64_t index, uint32_t width, uint64_t heap_end) {
    uint64_t bytes = heap_end - window.start;
    uint64_t span = bytes > width - 1 ? bytes - (width - 1) : 0;
    return index - window.start < span;
}

/* The table of the plan at hand. */
static uint8_t table[1 << 17];

static bool granule_allows(const mf_plan *plan, uint64_t byte) {
    uint64_t granule = byte >> plan->granule_log2;
    if (byte >= MF_SPACE_BYTES)
        return false;
    return plan->check == MF_CHECK_GRANULE_TABLE ? table[granule] == 1
                                                 : (table[granule / 8] >> granule % 8 & 1) == 1;
}

static bool granules_allow(const mf_plan *plan, uint64_t index, uint32_t width, uint64_t heap_end) {
    uint64_t last = index + width - 1;
    bool is_grown = plan->growth_end == 0 || last < heap_end || last >= plan->growth_end;
    return granule_allows(plan, index) && granule_allows(plan, last) && is_grown;
}

static bool immediate_allows(const mf_plan *plan, uint64_t index, uint32_t width, uint64_t heap_end) {
    uint64_t last = index + width - 1;
    uint64_t start = plan->windows[0].start;
    bool is_grown = plan->growth_end == 0 || last < heap_end || last >= plan->growth_end;
    return index - start <= plan->windows[0].last && is_grown &&
           (plan->bits >> ((index - start) >> plan->granule_log2) & 1) != 0 &&
           (plan->bits >> ((last - start) >> plan->granule_log2) & 1) != 0;
}

static bool hot_allows(const mf_plan *plan, uint64_t index, uint32_t width, uint64_t heap_end) {
    return plan->has_hot && (plan->hot_grows ? growing_window_allows(plan->hot, index, width, heap_end)
                                             : window_allows(plan->hot, index));
}

static bool check_allows(const mf_plan *plan, uint64_t index, uint32_t width, uint64_t heap_end) {
    switch (plan->check) {
    case MF_CHECK_ALWAYS_FAULT:
        return false;
    case MF_CHECK_ALWAYS_ALLOWED:
        return true;
    case MF_CHECK_PAGED: /* not planned on the copy backend */
        abort();
    case MF_CHECK_BOUND:
        return index <= plan->windows[0].last;
    case MF_CHECK_WINDOW:
        return window_allows(plan->windows[0], index);
    case MF_CHECK_TWO_WINDOWS:
        return window_allows(plan->windows[0], index) || window_allows(plan->windows[1], index);
    case MF_CHECK_HEAP:
        return growing_window_allows(plan->windows[0], index, width, heap_end) ||
               (plan->window_count == 2 && window_allows(plan->windows[1], index));
    case MF_CHECK_IMMEDIATE_BITMAP:
        return immediate_allows(plan, index, width, heap_end);
    case MF_CHECK_GRANULE_TABLE:
    case MF_CHECK_GRANULE_BITMAP:
        return granules_allow(plan, index, width, heap_end);
    case MF_CHECK_PAGE_TABLE:
        return live[index >> MF_PAGE_LOG2] >= plan->min_perm &&
               live[(index + width - 1) >> MF_PAGE_LOG2] >= plan->min_perm;
    }
    abort();
}

static bool plan_allows(const mf_plan *plan, uint64_t index, uint32_t width, uint64_t heap_end) {
    return hot_allows(plan, index, width, heap_end) || check_allows(plan, index, width, heap_end);
}

/* ---- Layouts: one letter a page from page 0 on; then the same with an end at 2^32 ---- */

typedef struct sample {
    const char *pages; /* '*' all pages of the space, read-write; '.' none, 'r' read-only, 'w' read-write, 'h'
                          the heap's range */
    uint64_t first_page;
} sample;

static const sample SAMPLES[] = {
    {"*", 0},
    {"", 0},
    {"r", 0},
    {"w", 0},
    {"..w", 0},
    {".rw.", 0},
    {"w.w", 0},
    {".rw..r", 0},
    {"w.w.w", 0},
    {"rwrw", 0},
    {"hhh", 0},
    {".hhh", 0},
    {"whhh", 0},
    {"rhhh", 0},
    {"w.hhh", 0},
    {"whhhw", 0},
    {"hhh.w", 0},
    {"hhhr", 0},
    {"whhhr", 0},
    {"w.hhh.w", 0},
    {"whhh.w", 0},
    {"rwhhh.r", 0},
    {"r.w.hhh", 0},
    {"w", 0xfffff},
    {"wwwwwwww", 0},
    {"wwwwwwwwwwwwwwww........rrrrrrrr", 8},
    {"wwwwwwww", 0xffff8},
    {"........hhhhhhhh", 0xffff0},
    {"wr", 0xffffe},
    {"r.w", 0xffffd},
    {"hh", 0xffffe},
    {"whh", 0xffffd},
    {"r.whh", 0xffffb},
};

static void map(mf_layout_builder *builder, uint64_t first_page, uint64_t page_count, mf_access access) {
    for (uint64_t page = first_page; page < first_page + page_count; page++)
        live[page] = (mf_perm)access;
    if (mf_layout_builder_map_region(builder, first_page * MF_PAGE_SIZE, page_count * MF_PAGE_SIZE, access,
                                     NULL, 0, NULL) != MF_OK)
        abort();
}

static mf_layout *layout_make(const sample *s, uint64_t *heap_base, uint32_t *heap_pages) {
    mf_layout_builder *builder = mf_layout_builder_create();
    mf_layout *layout = NULL;
    mf_diag diag;
    memset(live, 0, sizeof live);
    *heap_pages = 0;
    for (uint64_t i = 0; s->pages[i] != '\0'; i++) {
        uint64_t start = (s->first_page + i) * MF_PAGE_SIZE;
        char kind = s->pages[i];
        if (kind == 'h') {
            *heap_base = *heap_pages == 0 ? start : *heap_base;
            *heap_pages += 1;
        } else if (kind == '*') {
            map(builder, 0, MF_SPACE_PAGES, MF_READ_WRITE);
        } else if (kind != '.') {
            map(builder, s->first_page + i, 1, kind == 'w' ? MF_READ_WRITE : MF_READ_ONLY);
        }
    }
    if (*heap_pages > 0 && mf_layout_builder_set_heap(builder, *heap_base, *heap_pages, &diag) != MF_OK)
        abort();
    if (mf_layout_builder_finish(builder, &layout, NULL, &diag) != MF_OK)
        abort();
    mf_layout_builder_destroy(builder);
    return layout;
}

/* ---- The comparison ---- */

static unsigned long compared, disagreements;
static unsigned long used[MF_CHECK_PAGE_TABLE + 1], used_hot[2];

/* What is decided beforehand holds at every heap end, and without a heap everything is decided. */
static bool decision_holds(const mf_layout *layout, const mf_plan *plan, uint64_t index, bool wanted) {
    switch (mf_plan_decide(layout, plan, index)) {
    case MF_DECIDED_ALLOWED:
        return wanted;
    case MF_DECIDED_FAULT:
        return !wanted;
    case MF_DECIDED_LIVE:
        return mf_layout_heap(layout).max_pages > 0;
    }
    return false;
}

static void compare_at(const mf_layout *layout, const mf_plan *plan, uint64_t index, uint64_t heap_end,
                       const sample *s) {
    const mf_accessor_info *info = mf_accessor_info_get(plan->accessor);
    bool wanted = contract_allows(index, info->width_bytes, info->operation);
    compared++;
    if (plan_allows(plan, index, info->width_bytes, heap_end) == wanted &&
        decision_holds(layout, plan, index, wanted))
        return;
    disagreements++;
    char text[256];
    mf_plan_print(plan, text, sizeof text);
    printf("layout '%s' heap end 0x%llx index 0x%llx: contract %d, plan %s\n", s->pages,
           (unsigned long long)heap_end, (unsigned long long)index, wanted, text);
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

static void compare_options(const sample *s, const mf_layout *layout, uint64_t heap_end,
                            const mf_accessor_options *options) {
    for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++) {
        mf_plan plan;
        mf_status status = mf_plan_make(layout, id, options, &plan, NULL);
        if (status == MF_INEXACT_STRATEGY && options->strategy != MF_STRATEGY_AUTO &&
            options->strategy != MF_STRATEGY_PAGE_TABLE)
            continue;
        if (status != MF_OK || mf_plan_table_bytes(&plan) > sizeof table)
            abort();
        used[plan.check]++;
        if (plan.has_hot)
            used_hot[plan.hot_grows]++;
        mf_plan_fill_table(layout, &plan, table);
        compare_edges(layout, &plan, options->index, heap_end, s);
    }
}

/* Each page in its turn is in the hot window. */
static void compare_strategies(const sample *s, const mf_layout *layout, uint64_t heap_end) {
    for (mf_strategy strategy = MF_STRATEGY_AUTO; strategy <= MF_STRATEGY_PAGE_TABLE; strategy++)
        for (mf_index index = MF_INDEX_U32; index <= MF_INDEX_U33; index++) {
            mf_accessor_options options = {.index = index, .strategy = strategy};
            compare_options(s, layout, heap_end, &options);
            options.hot_percent = 99;
            for (uint64_t page = 0; page < strlen(s->pages); page += 2) {
                options.hot_address = (uint32_t)((s->first_page + page) * MF_PAGE_SIZE);
                compare_options(s, layout, heap_end, &options);
            }
        }
}

static void compare_sample(const sample *s) {
    uint64_t heap_base = 0;
    uint32_t heap_pages = 0;
    mf_layout *layout = layout_make(s, &heap_base, &heap_pages);
    for (uint32_t grown = 0; grown <= heap_pages; grown++) {
        if (grown > 0)
            live[(heap_base >> MF_PAGE_LOG2) + grown - 1] = MF_PERM_RW;
        compare_strategies(s, layout, heap_base + (uint64_t)grown * MF_PAGE_SIZE);
    }
    mf_layout_release(layout);
}

int main(void) {
    for (size_t i = 0; i < sizeof SAMPLES / sizeof SAMPLES[0]; i++)
        compare_sample(&SAMPLES[i]);
    for (mf_check check = 0; check <= MF_CHECK_PAGE_TABLE; check++)
        if (check != MF_CHECK_PAGED)
            printf("%s %s\n", mf_check_name(check), used[check] > 0 ? "compared" : "NOT SEEN");
    printf("hot windows %s, growing ones %s\n", used_hot[0] > 0 ? "compared" : "NOT SEEN",
           used_hot[1] > 0 ? "compared" : "NOT SEEN");
    printf("%lu disagreements in more than %d00000\n", disagreements, compared > 500000 ? 5 : 0);
    return disagreements != 0;
}

// CHECK-NOT: layout '
// CHECK: always-fault compared
// CHECK: always-allowed compared
// CHECK: bound compared
// CHECK: window compared
// CHECK: two-windows compared
// CHECK: heap compared
// CHECK: immediate-bitmap compared
// CHECK: granule-table compared
// CHECK: granule-bitmap compared
// CHECK: page-table compared
// CHECK: hot windows compared, growing ones compared
// CHECK: 0 disagreements in more than 500000
