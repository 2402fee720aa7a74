/*
 * Notation: an access touches i, ..., i + w - 1 (not reduced), 0 <= i, 1 <= w <= 64. It is allowed
 * exactly if all of them lie in one window, because windows are maximal: two windows never touch, so at least
 * a page lies between them. A place of a window [s, s + n) is an i at which an access may begin: s <= i and
 * i + w <= s + n. n >= 4096 > w. Arithmetic is unsigned, modulo 2^64.
 */
#include "plan/steps.h"

#include <assert.h>
#include <string.h>

static mf_plan_step *add(mf_plan *plan, mf_step_kind kind, mf_step_at at) {
    assert(plan->step_count < MF_PLAN_STEPS_MAX);
    mf_plan_step *step = &plan->steps[plan->step_count++];
    *step = (mf_plan_step){.kind = kind, .at = at, .on_pass = MF_EXIT_NEXT, .on_fail = MF_EXIT_FAULT};
    return step;
}

/* ---- Without a comparison ---- */

void plan_add_always(mf_plan *plan, mf_exit exit) {
    mf_plan_step *step = add(plan, MF_STEP_ALWAYS, MF_AT_FIRST);
    step->on_pass = exit;
    step->on_fail = exit;
}

void plan_allow(mf_plan *plan) {
    assert(plan->step_count > 0);
    plan->steps[plan->step_count - 1].on_pass = MF_EXIT_ALLOWED;
}

bool plan_asks_memory_only(const mf_plan *plan) {
    if (plan->check == MF_CHECK_ALWAYS_ALLOWED || plan->check == MF_CHECK_ALWAYS_FAULT)
        return false;
    for (uint32_t i = 0; i < plan->step_count; i++) {
        mf_step_kind kind = (mf_step_kind)plan->steps[i].kind;
        if (kind != MF_STEP_MMU && kind != MF_STEP_PERMISSION && kind != MF_STEP_IN_GRANULE &&
            kind != MF_STEP_MASK && kind != MF_STEP_SAME_BACKEND)
            return false;
    }
    return true;
}

void plan_begin_with_stamp(mf_plan *plan, const mf_layout *layout, mf_backend backend) {
    bool any_layout = plan_asks_memory_only(plan);
    mf_plan_step *step = add(plan, any_layout ? MF_STEP_SAME_BACKEND : MF_STEP_SAME_LAYOUT, MF_AT_FIRST);
    step->start = any_layout ? (uint64_t)backend : MF_LAYOUT_STAMP(mf_layout_fingerprint(layout), backend);
    step->on_fail = MF_EXIT_PANIC;
    mf_plan_step first = *step;
    memmove(&plan->steps[1], &plan->steps[0], (plan->step_count - 1) * sizeof first);
    plan->steps[0] = first;
}

/*
 * The host's page tables hold the permission of every page of the reservation, which is followed by
 * inaccessible pages as far as an index can reach; so the MMU faults exactly if a touched page does not allow
 * the operation.
 */
void plan_add_mmu(mf_plan *plan, bool traps) {
    mf_plan_step *step = add(plan, MF_STEP_MMU, MF_AT_FIRST);
    if (traps)
        step->on_fail = MF_EXIT_HANDLER;
}

/*
 * Every comparison before holds on the way to the access; a branch may be predicted wrongly, data are not.
 * The step passes: what it changes is the index of an access that ought not to happen.
 */
void plan_add_mask(mf_plan *plan, uint64_t start) {
    mf_plan_step *step = add(plan, MF_STEP_MASK, MF_AT_FIRST);
    step->start = start;
    step->on_fail = MF_EXIT_NEXT;
}

/* ---- Windows ---- */

/*
 * s <= i  and  i + w <= s + n   <=>   i - s <= n - w: for i < s the left side wraps to at least 2^64 - 2^32.
 * The same holds modulo 2^32 for i < 2^32: then it wraps to at least 2^32 - s >= n.
 */
void plan_add_window(mf_plan *plan, mf_window window) {
    mf_plan_step *step = add(plan, MF_STEP_IN_WINDOW, MF_AT_FIRST);
    step->start = window.start;
    step->last = window.size - plan->width_bytes;
}

/* With s = 0 the window is a bound. i + 1 <= 2^32 holds for every i < 2^32. */
void plan_add_bound(mf_plan *plan, uint64_t len) {
    bool cannot_miss = len == MF_SPACE_BYTES && plan->width_bytes == 1 && plan->index == MF_INDEX_U32;
    if (len == 0)
        plan_add_always(plan, MF_EXIT_FAULT);
    else if (cannot_miss)
        plan_add_always(plan, MF_EXIT_ALLOWED);
    else
        plan_add_window(plan, (mf_window){0, len});
}

/* No place is in [start, end): with m = end - start places, m >= 1, it is i - start > m - 1. */
static void add_hole(mf_plan *plan, uint64_t start, uint64_t end) {
    mf_plan_step *step = add(plan, MF_STEP_NOT_IN_HOLE, MF_AT_FIRST);
    step->start = start;
    step->last = end - start - 1;
}

/* The first i behind the places of a window: s + n - w + 1. */
static uint64_t behind_places(mf_window window, uint32_t width_bytes) {
    return window.start + window.size - width_bytes + 1;
}

/*
 * The places of both are those from the first of the lower window to the last of the upper one, without those
 * behind the lower window's last and before the upper one's first.
 */
void plan_add_two_windows(mf_plan *plan, mf_window low, mf_window high) {
    plan_add_window(plan, (mf_window){low.start, high.start + high.size - low.start});
    add_hole(plan, behind_places(low, plan->width_bytes), high.start);
}

/* ---- The heap ---- */

/*
 * s <= i  and  i + w <= heap_end   <=>   i - s < max(heap_end - (s + w - 1), 0): with n = heap_end - s >= 0
 * bytes in the window, i - s <= n - w if n >= w, and nothing if n < w. Where the window holds a page that
 * does not come from the heap, n >= 4096 and the maximum is the difference.
 */
static mf_plan_step *add_growing(mf_plan *plan, uint64_t start, bool may_be_empty) {
    mf_plan_step *step = add(plan, may_be_empty ? MF_STEP_IN_HEAP : MF_STEP_BELOW_HEAP_END, MF_AT_FIRST);
    step->start = start;
    step->last = start + plan->width_bytes - 1;
    return step;
}

/*
 * An access that ends at j = i + w - 1 meets what the heap has not reached, or what is behind its growth and
 * before the first place at which the window above can be entered, exactly if heap_end <= j < end. There is a
 * page at least between the end of the growth and the window above, so heap_end <= end - 4096.
 */
static void add_not_between(mf_plan *plan, uint64_t end) {
    mf_plan_step *step = add(plan, MF_STEP_NOT_IN_GROWTH, MF_AT_LAST);
    step->last = end - 1;
}

/* Below the heap's window: from the other's first place to the heap end, without the hole between. */
static void add_window_below_heap(mf_plan *plan, mf_window other, mf_window fixed) {
    add_growing(plan, other.start, false);
    add_hole(plan, behind_places(other, plan->width_bytes), fixed.start);
}

/*
 * Above the heap's window: from the heap's first place to the other's last. In between the access ends
 * neither at or behind the heap end nor before the other's first place, whose last byte is start + w - 1.
 */
static void add_window_above_heap(mf_plan *plan, mf_window other, mf_window fixed) {
    plan_add_window(plan, (mf_window){fixed.start, other.start + other.size - fixed.start});
    add_not_between(plan, other.start + plan->width_bytes - 1);
}

void plan_add_heap(mf_plan *plan, const plan_reach *reach) {
    if (reach->window_count == 0)
        add_growing(plan, reach->fixed.start, reach->fixed.size == 0);
    else if (reach->windows[0].start < reach->fixed.start)
        add_window_below_heap(plan, reach->windows[0], reach->fixed);
    else
        add_window_above_heap(plan, reach->windows[0], reach->fixed);
}

/* ---- Few windows ---- */

/* A window as it is when the heap is full. */
typedef struct span {
    uint64_t start;
    uint64_t end;
    bool grows;
} span;

/* The windows of the operation in the order of their addresses; their number. */
static uint32_t list_spans(const plan_reach *reach, span spans[PLAN_WINDOWS_MAX]) {
    uint32_t count = 0;
    bool is_heap_listed = !reach->grows;
    for (uint32_t i = 0; i < reach->window_count || !is_heap_listed; count++) {
        bool is_heap =
            !is_heap_listed && (i == reach->window_count || reach->fixed.start < reach->windows[i].start);
        assert(count < PLAN_WINDOWS_MAX);
        if (is_heap) {
            spans[count] = (span){reach->fixed.start, reach->growth_end, true};
            is_heap_listed = true;
        } else {
            spans[count] =
                (span){reach->windows[i].start, reach->windows[i].start + reach->windows[i].size, false};
            i++;
        }
    }
    return count;
}

/*
 * The access begins at or behind the first place of the lowest window and ends at or before the last place of
 * the highest. Of what is left, the places behind a window's last and before the next one's first are refused
 * window by window, each as for two windows; behind the growing window as above the heap.
 */
void plan_add_few_windows(mf_plan *plan, const plan_reach *reach) {
    span spans[PLAN_WINDOWS_MAX];
    uint32_t count = list_spans(reach, spans);
    const span *low = &spans[0];
    const span *high = &spans[count - 1];
    uint32_t w = plan->width_bytes;
    if (high->grows)
        add_growing(plan, low->start, count == 1 && reach->fixed.size == 0);
    else
        plan_add_window(plan, (mf_window){low->start, high->end - low->start});
    for (uint32_t i = 0; i + 1 < count; i++)
        if (spans[i].grows)
            add_not_between(plan, spans[i + 1].start + w - 1);
        else
            add_hole(plan, spans[i].end - w + 1, spans[i + 1].start);
}

/* ---- Lookups ---- */

/* A question to a table that is asked of the first byte, and perhaps of the last. */
typedef struct lookup {
    mf_step_kind kind;
    uint32_t granule_log2;
    uint64_t start; /* where granules are counted from */
    uint64_t bits;
    bool is_bounded; /* the table has an entry for every index that comes so far */
    bool masks;
} lookup;

static void add_entry(mf_plan *plan, const lookup *l, mf_step_at at) {
    mf_plan_step *step = add(plan, l->kind, at);
    step->start = l->start;
    step->bits = l->bits;
    step->granule_log2 = l->kind == MF_STEP_PERMISSION ? 0 : l->granule_log2;
}

/* i + w <= 2^32   <=>   i <= 2^32 - w */
static void add_space(mf_plan *plan) {
    mf_plan_step *step = add(plan, MF_STEP_IN_SPACE, MF_AT_FIRST);
    step->last = MF_SPACE_BYTES - plan->width_bytes;
}

/* i mod g <= g - w: the access ends in the granule it begins in. */
static void add_in_granule(mf_plan *plan, uint32_t granule_log2) {
    mf_plan_step *step = add(plan, MF_STEP_IN_GRANULE, MF_AT_FIRST);
    step->granule_log2 = granule_log2;
    step->last = (UINT64_C(1) << granule_log2) - plan->width_bytes;
    step->on_pass = MF_EXIT_ALLOWED;
    step->on_fail = MF_EXIT_NEXT;
}

/*
 * A granule is accessible as a whole or not at all, and w <= 64 is less than one: so an access is allowed
 * exactly if the granules of its first and of its last byte are, because if they are two they are neighbours.
 * Where the first granule holds the whole access its entry answers alone. For a permission the granule is the
 * page.
 *
 * A 32-bit address runs off the space only where it straddles, so a table without entries there is asked
 * behind that question. A mask is made from all that was compared: there is no way around a comparison, and
 * the last byte is asked like the first.
 */
static void add_lookup(mf_plan *plan, const lookup *l) {
    bool may_straddle = plan->width_bytes > 1;
    add_entry(plan, l, MF_AT_FIRST);
    if (may_straddle && !l->masks) {
        add_in_granule(plan, l->granule_log2);
        if (!l->is_bounded)
            add_space(plan);
    }
    if (may_straddle)
        add_entry(plan, l, MF_AT_LAST);
}

/*
 * Constant tables are made for the heap at its maximum. What they let through lies in one window as it will
 * be; no window begins at growth_end, so none has a byte of the page there. So [i, i + w - 1] lies below it
 * or behind it, and meets what the heap has not reached exactly if heap_end <= i + w - 1 < growth_end + 4096.
 */
static void add_growth(mf_plan *plan, const plan_reach *reach) {
    if (reach->grows)
        add_not_between(plan, reach->growth_end + MF_PAGE_SIZE);
}

void plan_add_granules(mf_plan *plan, const plan_reach *reach, mf_step_kind kind, bool masks) {
    bool may_straddle = plan->width_bytes > 1;
    lookup l = {.kind = kind,
                .granule_log2 = reach->spread.granule_log2,
                .is_bounded = plan->index == MF_INDEX_U33 || (may_straddle && masks),
                .masks = masks};
    if (l.is_bounded)
        add_space(plan);
    add_growth(plan, reach);
    add_lookup(plan, &l);
}

/*
 * All windows lie in 64 granules, which are counted from the first byte of the lowest window; the access lies
 * in the hull of the windows, so both its granules have a bit.
 */
void plan_add_immediate_bitmap(mf_plan *plan, const plan_reach *reach, bool masks) {
    lookup l = {.kind = MF_STEP_IMMEDIATE_BIT,
                .granule_log2 = reach->spread.granule_log2,
                .start = reach->spread.hull.start,
                .bits = reach->spread.bits,
                .is_bounded = true,
                .masks = masks};
    plan_add_window(plan, reach->spread.hull);
    add_growth(plan, reach);
    add_lookup(plan, &l);
}

/* The live table has an entry for the last byte of every 33-bit index (MF_PERM_TABLE_PAGES). */
void plan_add_permissions(mf_plan *plan, bool masks) {
    lookup l = {.kind = MF_STEP_PERMISSION, .granule_log2 = MF_PAGE_LOG2, .is_bounded = true, .masks = masks};
    add_lookup(plan, &l);
}

/* ---- Windows that allow at once ---- */

/* What lies in a window is allowed whatever other steps say; so they are asked only of the rest. */
static void allow_early(mf_plan_step *step, uint32_t percent) {
    step->on_pass = MF_EXIT_ALLOWED;
    step->on_fail = MF_EXIT_NEXT;
    step->percent = percent;
}

void plan_add_allowed_window(mf_plan *plan, mf_window window, uint32_t percent) {
    plan_add_window(plan, window);
    allow_early(&plan->steps[plan->step_count - 1], percent);
}

void plan_add_allowed_heap(mf_plan *plan, const plan_reach *reach, uint32_t percent) {
    allow_early(add_growing(plan, reach->fixed.start, reach->fixed.size == 0), percent);
}

void plan_refuse(mf_plan *plan) {
    assert(plan->step_count > 0);
    plan->steps[plan->step_count - 1].on_fail = MF_EXIT_FAULT;
    plan->steps[plan->step_count - 1].percent = 0;
}
