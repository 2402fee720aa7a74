/*
 * The decider: which check an access needs, most specific first.
 *
 * Notation: an access touches i, ..., i + w - 1 (not reduced), 0 <= i, w in {1, 2, 4, 8}. It is allowed
 * exactly if all of them lie in one window, because windows are maximal: two windows never touch.
 */
#include "plan/cost.h"
#include "plan/growth.h"

static const mf_accessor_options DEFAULT_OPTIONS;

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
    for (uint64_t from = 0; mf_layout_window_lookup(layout, operation, from, &window) && r.window_count < 3;
         from = window.start + window.size) {
        if (r.grows && window.start + window.size == growth.start) {
            r.fixed = window;
            continue;
        }
        r.windows[r.window_count++] = window;
    }
    return r;
}

/*
 * start <= i  and  i + w <= start + size   <=>   i - start <= size - w  in unsigned arithmetic modulo 2^64:
 * size >= 4096 > w, and for i < start the left side wraps to at least 2^64 - 2^32. The same holds modulo 2^32
 * for i < 2^32: the left side wraps to at least 2^32 - start >= size.
 */
static mf_plan_window plan_window(mf_window window, uint32_t width) {
    return (mf_plan_window){window.start, window.size - width, 0};
}

/*
 * start <= i  and  i + w <= heap_end   <=>   i - start < max(heap_end - start - (w - 1), 0)  modulo 2^64:
 * with n = heap_end - start >= 0 bytes in the window, i - start <= n - w if n >= w, and nothing if n < w.
 */
static mf_plan_window plan_growing_window(mf_window fixed) {
    return (mf_plan_window){fixed.start, 0, fixed.size};
}

/* The address space itself as a bound. An 8-bit access at a 32-bit address cannot miss all of it. */
static void plan_bound(mf_plan *plan, uint64_t len, uint32_t width, mf_index index) {
    if (len == 0) {
        plan->check = MF_CHECK_ALWAYS_FAULT;
    } else if (len == MF_SPACE_BYTES && width == 1 && index == MF_INDEX_U32) {
        plan->check = MF_CHECK_ALWAYS_ALLOWED;
    } else {
        plan->check = MF_CHECK_BOUND;
        plan->window_count = 1;
        plan->windows[0] = plan_window((mf_window){0, len}, width);
    }
}

static void plan_window_check(mf_plan *plan, const plan_reach *r, uint32_t width, mf_index index) {
    if (r->windows[0].start == 0) {
        plan_bound(plan, r->windows[0].size, width, index);
        return;
    }
    plan->check = MF_CHECK_WINDOW;
    plan->window_count = 1;
    plan->windows[0] = plan_window(r->windows[0], width);
}

/* One window counts as two that are the same, so that the strategy can be forced for a whole set. */
static void plan_two_windows(mf_plan *plan, const plan_reach *r, uint32_t width) {
    plan->check = MF_CHECK_TWO_WINDOWS;
    plan->window_count = 2;
    plan->windows[0] = plan_window(r->windows[0], width);
    plan->windows[1] = plan_window(r->windows[r->window_count - 1], width);
}

static void plan_heap(mf_plan *plan, const plan_reach *r, uint32_t width) {
    plan->check = MF_CHECK_HEAP;
    plan->window_count = 1 + r->window_count;
    plan->windows[0] = plan_growing_window(r->fixed);
    if (r->window_count == 1)
        plan->windows[1] = plan_window(r->windows[0], width);
}

/*
 * A granule is accessible as a whole or not at all, and w <= 8 is less than one: so an access is allowed
 * exactly if the granules of its first and of its last byte are, because if they are two they are neighbours.
 * For u in {0, ..., w - 2} and granule g, both powers of two,
 *
 *     the access straddles   <=>   (i + w - 1) mod g in {0, ..., w - 2}   =>   ((i + w - 1) & (g - w)) = 0
 *
 * so where the last is not so, one lookup answers for both ends. Page table: the granule is the page.
 *
 * The constant tables are made for the heap at its maximum. What they let through lies in one window as it
 * will be; no window begins at growth_end, so [i, i + w - 1] lies below it or from it on, and meets what the
 * heap has not reached exactly if heap_end <= i + w - 1 < growth_end.
 */
static void plan_granules(mf_plan *plan, const plan_reach *r, mf_check check) {
    plan->check = check;
    plan->granule_log2 = r->spread.granule_log2;
    plan->growth_end = r->grows ? r->growth_end : 0;
}

/*
 * The same where all windows lie in 64 granules: granules are counted from the first byte of the lowest
 * window, and the access lies in the hull of the windows, so both its granules have a bit.
 */
static void plan_immediate_bitmap(mf_plan *plan, const plan_reach *r, uint32_t width) {
    plan_granules(plan, r, MF_CHECK_IMMEDIATE_BITMAP);
    plan->window_count = 1;
    plan->windows[0] = plan_window(r->spread.hull, width);
    plan->bits = r->spread.bits;
}

static void plan_page_table(mf_plan *plan, mf_operation operation) {
    plan->check = MF_CHECK_PAGE_TABLE;
    plan->min_perm = operation == MF_STORE ? MF_PERM_RW : MF_PERM_RO;
}

/*
 * A growing window that may come to touch the constant window above it is no window of its own: an access
 * across the seam becomes legal when the heap is full. Only the page table sees that.
 */
static const char *strategy_refusal(mf_strategy strategy, const plan_reach *r) {
    switch (strategy) {
    case MF_STRATEGY_AUTO:
    case MF_STRATEGY_PAGE_TABLE:
        return NULL;
    case MF_STRATEGY_WINDOW:
        return r->grows ? "the heap grows" : r->window_count > 1 ? "there is more than one window" : NULL;
    case MF_STRATEGY_TWO_WINDOWS:
        return r->grows ? "the heap grows" : r->window_count > 2 ? "there are more than two windows" : NULL;
    case MF_STRATEGY_HEAP:
        return !r->grows             ? "there is no heap that can grow"
               : r->touches_above    ? "a window begins where the heap ends"
               : r->window_count > 1 ? "there is more than one window besides the heap"
                                     : NULL;
    case MF_STRATEGY_IMMEDIATE_BITMAP:
        return r->touches_above ? "a window begins where the heap ends"
               : r->spread.bits == 0 && r->spread.hull.size > 0
                   ? "the windows are spread over more than 64 granules"
                   : NULL;
    case MF_STRATEGY_GRANULE_TABLE:
        return r->touches_above                                    ? "a window begins where the heap ends"
               : r->spread.granule_log2 + PLAN_TABLE_MAX_LOG2 < 32 ? "the table would take more than 128 KiB"
                                                                   : NULL;
    case MF_STRATEGY_GRANULE_BITMAP:
        return r->touches_above ? "a window begins where the heap ends" : NULL;
    }
    return NULL;
}

/* The cheapest that is exact; of those that cost the same, the last, which has the least constant data. */
static mf_strategy strategy_choose(const plan_reach *r) {
    mf_strategy best = MF_STRATEGY_PAGE_TABLE;
    for (mf_strategy s = MF_STRATEGY_PAGE_TABLE; s > MF_STRATEGY_AUTO; s--)
        if (strategy_refusal(s, r) == NULL && plan_cost(s, r) < plan_cost(best, r))
            best = s;
    return best;
}

/*
 * The host's page tables hold the permission of every page of the window, which is followed by inaccessible
 * pages as far as an index can reach; so the MMU faults exactly if a touched page does not allow the
 * operation.
 */
static void plan_paged(mf_plan *plan, const plan_reach *r, uint32_t width, mf_index index) {
    bool whole = r->window_count == 1 && r->windows[0].size == MF_SPACE_BYTES;
    bool cannot_miss = whole && width == 1 && index == MF_INDEX_U32;
    plan->check = cannot_miss ? MF_CHECK_ALWAYS_ALLOWED : MF_CHECK_PAGED;
}

static void plan_strategy(mf_plan *plan, const plan_reach *r, mf_strategy strategy,
                          const mf_accessor_info *info, mf_index index) {
    switch (strategy) {
    case MF_STRATEGY_WINDOW:
        plan_window_check(plan, r, info->width_bytes, index);
        break;
    case MF_STRATEGY_TWO_WINDOWS:
        plan_two_windows(plan, r, info->width_bytes);
        break;
    case MF_STRATEGY_HEAP:
        plan_heap(plan, r, info->width_bytes);
        break;
    case MF_STRATEGY_IMMEDIATE_BITMAP:
        plan_immediate_bitmap(plan, r, info->width_bytes);
        break;
    case MF_STRATEGY_GRANULE_TABLE:
        plan_granules(plan, r, MF_CHECK_GRANULE_TABLE);
        break;
    case MF_STRATEGY_GRANULE_BITMAP:
        plan_granules(plan, r, MF_CHECK_GRANULE_BITMAP);
        break;
    case MF_STRATEGY_AUTO:
    case MF_STRATEGY_PAGE_TABLE:
        plan_page_table(plan, info->operation);
        break;
    }
}

/* The heap's growing window, or the constant one that holds the address. False if there is none. */
static bool find_hot(const mf_layout *layout, const plan_reach *r, const mf_accessor_info *info,
                     uint64_t address, mf_plan *plan) {
    mf_window window;
    plan->hot_grows = r->grows && r->fixed.start <= address && address < r->growth_end;
    if (plan->hot_grows) {
        plan->hot = plan_growing_window(r->fixed);
        return true;
    }
    bool is_there = mf_layout_window_lookup(layout, info->operation, address, &window);
    if (is_there && window.start <= address)
        plan->hot = plan_window(window, info->width_bytes);
    return is_there && window.start <= address;
}

/*
 * What the hot window lets through is allowed, so whatever the check says of the rest, the answer is the
 * same. A mask would have to hold on both ways to the access: there the check is made alone.
 */
static void plan_hot(mf_plan *plan, const mf_layout *layout, const plan_reach *r,
                     const mf_accessor_options *options, mf_strategy strategy) {
    const mf_accessor_info *info = mf_accessor_info_get(plan->accessor);
    bool pays = plan_cost_hot(strategy, r, options->hot_percent) < plan_cost(strategy, r);
    if (!pays || options->hot_percent == 0 || options->spectre == MF_SPECTRE_MASK)
        return;
    plan->has_hot = find_hot(layout, r, info, options->hot_address, plan);
    plan->hot_percent = plan->has_hot ? options->hot_percent : 0;
}

static mf_status plan_perms(const mf_layout *layout, const plan_reach *r, const mf_accessor_options *options,
                            mf_plan *plan, mf_diag *diag) {
    const mf_accessor_info *info = mf_accessor_info_get(plan->accessor);
    mf_strategy strategy = options->strategy;
    const char *refusal = strategy_refusal(strategy, r);
    if (refusal != NULL)
        return mf_diag_set(diag, MF_INEXACT_STRATEGY, (uint64_t)strategy,
                           "the strategy is not exact for %s: %s", info->name, refusal);
    if (strategy == MF_STRATEGY_AUTO)
        strategy = strategy_choose(r);
    if (r->window_count == 0 && !r->grows) {
        plan->check = MF_CHECK_ALWAYS_FAULT;
    } else if (options->backend == MF_BACKEND_X86_PAGED) {
        plan_paged(plan, r, info->width_bytes, options->index);
    } else {
        plan_strategy(plan, r, strategy, info, options->index);
        plan_hot(plan, layout, r, options, strategy);
    }
    return MF_OK;
}

/* The bounds policy: everything below the highest region's end, or the heap's maximum, is accessible. */
static void plan_bounds(const mf_layout *layout, const mf_accessor_info *info, mf_index index,
                        mf_plan *plan) {
    mf_heap heap = mf_layout_heap(layout);
    uint64_t heap_max = heap.max_pages == 0 ? 0 : heap.base + (uint64_t)heap.max_pages * MF_PAGE_SIZE;
    uint64_t len = mf_layout_len(layout);
    plan->limit = len > heap_max ? len : heap_max;
    plan_bound(plan, plan->limit, info->width_bytes, index);
}

mf_status plan_make_within(const mf_layout *layout, const plan_reach *reach, mf_accessor_id id,
                           const mf_accessor_options *options, mf_plan *plan, mf_diag *diag) {
    const mf_accessor_info *info = mf_accessor_info_get(id);
    mf_plan made = {.accessor = id, .check = MF_CHECK_ALWAYS_ALLOWED};
    mf_status status = MF_OK;
    if (options->policy == MF_POLICY_PERMS)
        status = plan_perms(layout, reach, options, &made, diag);
    else if (options->policy == MF_POLICY_BOUNDS)
        plan_bounds(layout, info, options->index, &made);
    if (status != MF_OK)
        return status;
    made.may_fault = made.check != MF_CHECK_ALWAYS_ALLOWED;
    *plan = made;
    return MF_OK;
}

mf_status mf_plan_make(const mf_layout *layout, mf_accessor_id id, const mf_accessor_options *options,
                       mf_plan *plan, mf_diag *diag) {
    if (options == NULL)
        options = &DEFAULT_OPTIONS;
    mf_status status = mf_accessor_options_validate(options, diag);
    if (status != MF_OK)
        return status;
    plan_reach reach = plan_reach_make(layout, mf_accessor_info_get(id)->operation);
    return plan_make_within(layout, &reach, id, options, plan, diag);
}
