#include "plan/set.h"

mf_status plan_set_make(const mf_layout *layout, const mf_accessor_options *options, plan_set *set,
                        mf_diag *diag) {
    mf_status status = MF_OK;
    for (mf_accessor_id id = 0; status == MF_OK && id < MF_ACCESSOR_COUNT; id++)
        status = mf_plan_make(layout, id, options, &set->plans[id], diag);
    return status;
}

static int compare_numbers(const uint64_t *a, const uint64_t *b, size_t count) {
    int order = 0;
    for (size_t i = 0; order == 0 && i < count; i++)
        order = plan_compare_u64(a[i], b[i]);
    return order;
}

static int compare_plans(const mf_plan *a, const mf_plan *b) {
    const mf_plan_window *v = a->windows;
    const mf_plan_window *w = b->windows;
    const uint64_t numbers_a[] = {a->check,  a->window_count,  a->limit,   a->min_perm, v[0].start,
                                  v[0].last, v[0].fixed_bytes, v[1].start, v[1].last,   v[1].fixed_bytes};
    const uint64_t numbers_b[] = {b->check,  b->window_count,  b->limit,   b->min_perm, w[0].start,
                                  w[0].last, w[0].fixed_bytes, w[1].start, w[1].last,   w[1].fixed_bytes};
    return compare_numbers(numbers_a, numbers_b, sizeof numbers_a / sizeof numbers_a[0]);
}

int plan_set_compare(const plan_set *a, const plan_set *b) {
    int order = 0;
    for (size_t i = 0; order == 0 && i < MF_ACCESSOR_COUNT; i++)
        order = compare_plans(&a->plans[i], &b->plans[i]);
    return order;
}

int plan_compare_options(const mf_accessor_options *a, const mf_accessor_options *b) {
    const uint64_t fields_a[] = {a->backend, a->policy,  a->endian,   a->on_fault, a->base,
                                 a->index,   a->spectre, a->strategy, a->stale,    a->base_address};
    const uint64_t fields_b[] = {b->backend, b->policy,  b->endian,   b->on_fault, b->base,
                                 b->index,   b->spectre, b->strategy, b->stale,    b->base_address};
    return compare_numbers(fields_a, fields_b, sizeof fields_a / sizeof fields_a[0]);
}
