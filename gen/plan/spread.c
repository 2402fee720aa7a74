/* The granule of an operation's windows, and what they meet of each kind of table. */
#include "plan/spread.h"

#include "plan/growth.h"

/* So that a bitmap has at least one word. */
#define GRANULE_MAX_LOG2 26
#define LINE_LOG2 6

/* The lines of 2^log2 guest bytes each that windows meet; windows come in ascending order. */
typedef struct line_count {
    uint32_t log2;
    uint32_t count;
    uint64_t next; /* the first line that has not been counted */
} line_count;

static void count_lines(line_count *lines, mf_window window) {
    uint64_t first = window.start >> lines->log2;
    uint64_t end = ((window.start + window.size - 1) >> lines->log2) + 1;
    first = first > lines->next ? first : lines->next;
    lines->count += (uint32_t)(end > first ? end - first : 0);
    lines->next = end;
}

/*
 * Every window begins and ends at a multiple of the granule, so none meets a granule without holding it.
 * Edges are multiples of a page: at one granule a page there is nothing left to be found.
 */
static uint32_t find_granule(const mf_layout *layout, mf_operation operation) {
    uint64_t edges = UINT64_C(1) << GRANULE_MAX_LOG2;
    mf_window window;
    for (uint64_t from = 0;
         (edges & MF_PAGE_SIZE) == 0 && plan_grown_window_lookup(layout, operation, from, &window);
         from = window.start + window.size)
        edges |= window.start | window.size;
    return (uint32_t)__builtin_ctzll(edges);
}

/* Bits first, ..., end - 1; 0 < end - first, end <= 64. */
static uint64_t bits_between(uint64_t first, uint64_t end) {
    return (~UINT64_C(0) >> (64 - (end - first))) << first;
}

static void add_to_hull(plan_spread *spread, mf_window window) {
    mf_window hull = spread->hull;
    if (hull.size == 0)
        hull.start = window.start;
    hull.size = window.start + window.size - hull.start;
    if (hull.size >> spread->granule_log2 <= 64)
        spread->bits |= bits_between((window.start - hull.start) >> spread->granule_log2,
                                     hull.size >> spread->granule_log2);
    else
        spread->bits = 0;
    spread->hull = hull;
}

plan_spread plan_spread_make(const mf_layout *layout, mf_operation operation) {
    uint32_t log2 = find_granule(layout, operation);
    plan_spread spread = {.granule_log2 = log2};
    line_count lines = {.log2 = MF_PAGE_LOG2 + LINE_LOG2};
    line_count pages = {.log2 = 2 * MF_PAGE_LOG2};
    line_count table = {.log2 = log2 + LINE_LOG2};
    line_count bitmap = {.log2 = log2 + LINE_LOG2 + 3};
    mf_window window;
    for (uint64_t from = 0; plan_grown_window_lookup(layout, operation, from, &window);
         from = window.start + window.size) {
        count_lines(&lines, window);
        count_lines(&pages, window);
        count_lines(&table, window);
        count_lines(&bitmap, window);
        add_to_hull(&spread, window);
    }
    spread.perm_lines = lines.count;
    spread.perm_pages = pages.count;
    spread.table_lines = table.count;
    spread.bitmap_lines = bitmap.count;
    return spread;
}
