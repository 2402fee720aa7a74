#include "plan/set.h"

#include "plan/reach.h"

#include <stdlib.h>
#include <string.h>

mf_status plan_table_make(const mf_layout *layout, const mf_plan *plan, plan_table *table, mf_diag *diag) {
    *table = (plan_table){0};
    size_t byte_count = mf_plan_table_bytes(plan);
    if (byte_count == 0)
        return MF_OK;
    uint8_t *bytes = malloc(byte_count);
    if (bytes == NULL)
        return mf_diag_set(diag, MF_OUT_OF_MEMORY, byte_count, "no memory for a granule table");
    mf_plan_fill_table(layout, plan, bytes);
    *table = (plan_table){bytes, byte_count};
    return MF_OK;
}

int plan_table_compare(const plan_table *a, const plan_table *b) {
    int order = plan_compare_u64(a->byte_count, b->byte_count);
    return order != 0 || a->byte_count == 0 ? order : memcmp(a->bytes, b->bytes, a->byte_count);
}

/* One look at the layout for all accessors of an operation. */
static mf_status make_plans(const mf_layout *layout, const mf_accessor_options *options, plan_set *made,
                            mf_diag *diag) {
    mf_status status = mf_accessor_options_validate(options, diag);
    if (status != MF_OK)
        return status;
    plan_reach reaches[] = {plan_reach_make(layout, MF_LOAD), plan_reach_make(layout, MF_STORE)};
    for (mf_accessor_id id = 0; status == MF_OK && id < MF_ACCESSOR_COUNT; id++) {
        const plan_reach *reach = &reaches[mf_accessor_info_get(id)->operation];
        status = plan_make_within(layout, reach, id, options, &made->plans[id], diag);
    }
    return status;
}

mf_status plan_set_make(const mf_layout *layout, const mf_accessor_options *options, plan_set *set,
                        mf_diag *diag) {
    plan_set made = {0};
    mf_status status = make_plans(layout, options, &made, diag);
    if (status == MF_OK)
        status = plan_table_make(layout, &made.plans[MF_LOAD_U8], &made.tables[MF_LOAD], diag);
    if (status == MF_OK)
        status = plan_table_make(layout, &made.plans[MF_STORE_U8], &made.tables[MF_STORE], diag);
    if (status == MF_OK)
        *set = made;
    else
        plan_set_fini(&made);
    return status;
}

void plan_set_fini(plan_set *set) {
    free(set->tables[MF_LOAD].bytes);
    free(set->tables[MF_STORE].bytes);
    *set = (plan_set){0};
}

static int compare_numbers(const uint64_t *a, const uint64_t *b, size_t count) {
    int order = 0;
    for (size_t i = 0; order == 0 && i < count; i++)
        order = plan_compare_u64(a[i], b[i]);
    return order;
}

static int compare_windows(mf_plan_window a, mf_plan_window b) {
    const uint64_t numbers_a[] = {a.start, a.last, a.fixed_bytes};
    const uint64_t numbers_b[] = {b.start, b.last, b.fixed_bytes};
    return compare_numbers(numbers_a, numbers_b, sizeof numbers_a / sizeof numbers_a[0]);
}

static int compare_plans(const mf_plan *a, const mf_plan *b) {
    const uint64_t numbers_a[] = {a->check,        a->window_count, a->limit,   a->min_perm,
                                  a->granule_log2, a->growth_end,   a->has_hot, a->hot_grows,
                                  a->hot_percent,  a->bits};
    const uint64_t numbers_b[] = {b->check,        b->window_count, b->limit,   b->min_perm,
                                  b->granule_log2, b->growth_end,   b->has_hot, b->hot_grows,
                                  b->hot_percent,  b->bits};
    int order = compare_numbers(numbers_a, numbers_b, sizeof numbers_a / sizeof numbers_a[0]);
    if (order == 0)
        order = compare_windows(a->hot, b->hot);
    for (size_t i = 0; order == 0 && i < 2; i++)
        order = compare_windows(a->windows[i], b->windows[i]);
    return order;
}

int plan_set_compare(const plan_set *a, const plan_set *b) {
    int order = 0;
    for (size_t i = 0; order == 0 && i < MF_ACCESSOR_COUNT; i++)
        order = compare_plans(&a->plans[i], &b->plans[i]);
    for (size_t i = 0; order == 0 && i < 2; i++)
        order = plan_table_compare(&a->tables[i], &b->tables[i]);
    return order;
}

int plan_compare_options(const mf_accessor_options *a, const mf_accessor_options *b) {
    const uint64_t fields_a[] = {a->backend, a->policy,       a->endian,      a->on_fault,
                                 a->base,    a->index,        a->spectre,     a->strategy,
                                 a->stale,   a->base_address, a->hot_address, a->hot_percent};
    const uint64_t fields_b[] = {b->backend, b->policy,       b->endian,      b->on_fault,
                                 b->base,    b->index,        b->spectre,     b->strategy,
                                 b->stale,   b->base_address, b->hot_address, b->hot_percent};
    return compare_numbers(fields_a, fields_b, sizeof fields_a / sizeof fields_a[0]);
}
