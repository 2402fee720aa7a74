/*
 * The cost model. Unit: hundredths of a nanosecond over an unchecked access, inlined into a loop whose
 * addresses are uniform over the accessible bytes and whose data stays in the first-level cache. Measured on
 * a Zen server core; only how the numbers compare matters. `memfold bench --strategy` measures them again.
 */
#include "plan/cost.h"

#define COST_WINDOW 16
#define COST_TWO_WINDOWS 28
#define COST_HEAP 20
/*
 * What lies between two windows is never met, whoever calls: a branch that is always predicted. Alone it
 * costs 10; but a lookup stays where it is, and comparisons with constants leave loops: whole programs run
 * at 1.47 of native with three of them, and at 2.10 with a lookup (memfold bench --only=programs). So do
 * those with a heap end, which is read before them (1.46 and 2.15).
 */
#define COST_HOLE 5
/* What is computed from the heap end leaves loops, which a lookup does not. */
#define COST_HEAP_AND_WINDOW 30
/* A window, and a bit of a constant; whether the access straddles. */
#define COST_IMMEDIATE 50
/* The first byte's entry, and whether the access straddles; then what a bit costs more than a byte. */
#define COST_LOOKUP 32
#define COST_BIT 30
/* The last byte against the heap end and where its growth ends. */
#define COST_GROWTH 12
/* Lookups over more host pages than a first-level TLB holds. */
#define COST_TLB 25

/* What lookups wait for when they spread over so many cache lines; the guest's own bytes want some, too. */
static uint32_t cost_of_lines(uint32_t lines) {
    static const struct {
        uint32_t lines;
        uint32_t cost;
    } STEPS[] = {{128, 0}, {512, 17}, {2048, 35}, {4096, 50}, {8192, 100}, {UINT32_MAX, 120}};
    size_t i = 0;
    while (lines > STEPS[i].lines)
        i++;
    return STEPS[i].cost;
}

/* The constant tables are 32 host pages at most; the live one is 256, more than a first-level TLB holds. */
static uint32_t cost_of_pages(uint32_t pages) {
    return pages <= 64 ? 0 : COST_TLB;
}

uint32_t plan_cost(mf_strategy strategy, const plan_reach *reach) {
    const plan_spread *spread = &reach->spread;
    uint32_t growth = reach->grows ? COST_GROWTH : 0;
    switch (strategy) {
    case MF_STRATEGY_AUTO:
        break;
    case MF_STRATEGY_WINDOW:
        return COST_WINDOW;
    case MF_STRATEGY_TWO_WINDOWS:
        return COST_TWO_WINDOWS;
    case MF_STRATEGY_HEAP:
        return reach->window_count == 0 ? COST_HEAP : COST_HEAP_AND_WINDOW;
    case MF_STRATEGY_FEW_WINDOWS: /* up to two windows have strategies of their own */
        if (plan_reach_count(reach) < 3)
            return UINT32_MAX;
        return COST_WINDOW + COST_HOLE * (plan_reach_count(reach) - 1);
    case MF_STRATEGY_IN_TURN: /* in an order that nobody has given each comparison may be mispredicted */
        return UINT32_MAX;
    case MF_STRATEGY_IMMEDIATE_BITMAP:
        return COST_IMMEDIATE + growth;
    case MF_STRATEGY_GRANULE_TABLE:
        return COST_LOOKUP + growth + cost_of_lines(spread->table_lines);
    case MF_STRATEGY_GRANULE_BITMAP:
        return COST_LOOKUP + COST_BIT + growth + cost_of_lines(spread->bitmap_lines);
    case MF_STRATEGY_PERM_TABLE:
        return COST_LOOKUP + cost_of_lines(spread->perm_lines) + cost_of_pages(spread->perm_pages);
    }
    return UINT32_MAX;
}
