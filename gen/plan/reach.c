/* The windows of one operation, and the one that grows with the heap. */
#include "plan/reach.h"

#include "plan/growth.h"
#include "plan/strategy.h"

/* A constant window begins where the heap's growth ends. */
static bool touches_growth(const mf_layout *layout, mf_operation operation, mf_window growth) {
    uint64_t end = growth.start + growth.size;
    mf_window above;
    return growth.size > 0 && mf_layout_window_lookup(layout, operation, end, &above) && above.start == end;
}

plan_reach plan_reach_make(const mf_layout *layout, mf_operation operation) {
    mf_window growth = plan_heap_growth(layout);
    plan_reach r = {.grows = growth.size > 0,
                    .growth_end = growth.start + growth.size,
                    .fixed = {growth.start, 0},
                    .touches_above = touches_growth(layout, operation, growth),
                    .spread = plan_spread_make(layout, operation)};
    mf_window window;
    uint64_t from = 0;
    while (r.window_count <= PLAN_WINDOWS_MAX && mf_layout_window_lookup(layout, operation, from, &window)) {
        from = window.start + window.size;
        if (r.grows && from == growth.start)
            r.fixed = window;
        else
            r.windows[r.window_count++] = window;
    }
    if (!plan_reach_is_empty(&r))
        r.cheapest = plan_strategy_choose(&r);
    return r;
}
