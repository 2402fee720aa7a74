/* The heap's growth, and the windows of a layout whose heap is full. */
#include "plan/growth.h"

mf_window plan_heap_growth(const mf_layout *layout) {
    mf_heap heap = mf_layout_heap(layout);
    uint64_t start = heap.base;
    uint64_t end = start + (uint64_t)heap.max_pages * MF_PAGE_SIZE;
    mf_window next;
    if (mf_layout_window_lookup(layout, MF_LOAD, start, &next) && next.start < end)
        end = next.start > start ? next.start : start;
    return (mf_window){start, end - start};
}

bool plan_grown_window_lookup(const mf_layout *layout, mf_operation operation, uint64_t from,
                              mf_window *window) {
    mf_window growth = plan_heap_growth(layout);
    uint64_t growth_end = growth.start + growth.size;
    bool is_there = mf_layout_window_lookup(layout, operation, from, window);
    if (growth.size == 0 || growth_end <= from)
        return is_there;
    if (is_there && window->start + window->size == growth.start)
        window->size += growth.size;
    else if (!is_there || window->start > growth.start)
        *window = growth;
    return true;
}

uint64_t plan_heap_end_most(const mf_plan *plan) {
    uint64_t most = MF_SPACE_BYTES;
    for (uint32_t i = 0; i < plan->step_count; i++) {
        const mf_plan_step *step = &plan->steps[i];
        if (step->kind == MF_STEP_NOT_IN_GROWTH && step->last - (MF_PAGE_SIZE - 1) < most)
            most = step->last - (MF_PAGE_SIZE - 1);
    }
    return most;
}
