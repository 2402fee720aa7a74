/*
 * Which guest bytes a cell touches, and in which order.
 *
 * The addresses span all regions, as far as there are lines for them, while the touched lines fit a cache: so
 * a cell shows what the check costs, not what the machine's caches do. The list of addresses has 64 Ki
 * entries in random order, which no branch predictor learns.
 */
#include "bench/work.h"

#include <stdlib.h>
#include <string.h>

#define LINE_BYTES 64
#define LINE_WORDS (LINE_BYTES / 4)
#define LIST_COUNT 65536
#define RUN_LINES_MIN 4
#define REDUCTION 16
#define CHAIN_STEPS_1G (UINT64_C(1) << 18)

const char bench_pattern_names[] = "uniform|hot|sequential|scalar|dependent|misses";
const char *const bench_pattern_titles[PATTERN_COUNT] = {
    "uniform: random addresses, 3 loads : 1 store, all allowed",
    "hot: the same, 95 % in one region",
    "sequential: loads of consecutive words, which the compiler may vectorise",
    "scalar: the same loads, not vectorised",
    "dependent: each load gives the address of the next",
    "misses: random addresses, 3 loads : 1 store, 10 % fault",
};
const char *const bench_set_names[SET_COUNT] = {"L1", "L2", "1G"};
/* 24 KiB, 384 KiB, and 128 MiB of lines spread over 1 GiB, more than a cache holds. */
static const size_t set_lines[SET_COUNT] = {384, 6144, 2097152};

static uint64_t next_random(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state * UINT64_C(2685821657736338717) >> 16;
}

static void *make_room(size_t count, size_t bytes) {
    void *room = calloc(count == 0 ? 1 : count, bytes);
    if (room == NULL)
        abort();
    return room;
}

/* ---- Lines ---- */

/* Adds at most `count` lines of a region, spread over it: steps by a prime number visit no line twice. */
static size_t add_lines(bench_line *lines, mf_region region, size_t count, size_t salt) {
    size_t capacity = region.size / LINE_BYTES;
    if (count > capacity)
        count = capacity;
    for (size_t i = 0; i < count; i++) {
        uint64_t slot = (i * 1000003 + salt * 17) % capacity;
        lines[i].address = (uint32_t)(region.start + slot * LINE_BYTES);
        lines[i].writable = region.access == MF_READ_WRITE;
    }
    return count;
}

/* Each region has its share; where lines are fewer than regions, evenly chosen regions have one. */
static void make_lines(bench_work *work, const mf_layout *layout, size_t wanted) {
    size_t regions = mf_layout_region_count(layout);
    work->lines = make_room(wanted, sizeof *work->lines);
    for (size_t r = 0; r < regions; r++) {
        size_t due = (r + 1) * wanted / regions - r * wanted / regions;
        work->line_count += add_lines(work->lines + work->line_count, mf_layout_region(layout, r), due, r);
    }
}

static void shuffle(bench_line *lines, size_t count, uint64_t *random) {
    for (size_t i = count; i > 1; i--) {
        size_t j = next_random(random) % i;
        bench_line swapped = lines[i - 1];
        lines[i - 1] = lines[j];
        lines[j] = swapped;
    }
}

/* ---- Addresses ---- */

/* Lines that an operation may touch. */
typedef struct line_pool {
    const bench_line **all;
    size_t count;
} line_pool;

static bool fits(const bench_line *line, mf_operation operation, mf_window within) {
    return (operation == MF_LOAD || line->writable) && line->address - within.start < within.size;
}

static line_pool make_pool(const bench_work *work, mf_operation operation, mf_window within) {
    line_pool pool = {make_room(work->line_count, sizeof *pool.all), 0};
    for (size_t i = 0; i < work->line_count; i++)
        if (fits(&work->lines[i], operation, within))
            pool.all[pool.count++] = &work->lines[i];
    return pool;
}

/*
 * A random word of a random line. Word 0 leads to the next line of the dependent chain, so no store goes
 * there.
 */
static uint32_t pick(line_pool pool, mf_operation operation, uint64_t *random) {
    uint32_t word = (uint32_t)(next_random(random) % (LINE_WORDS - 1));
    return pool.all[next_random(random) % pool.count]->address + 4 * (word + (operation == MF_STORE));
}

/* Windows of one operation, to find places just outside of them. */
typedef struct window_list {
    mf_window *all;
    size_t count;
} window_list;

static window_list list_windows(const mf_layout *layout, mf_operation operation) {
    window_list windows = {make_room(mf_layout_region_count(layout), sizeof *windows.all), 0};
    mf_window window;
    for (uint64_t from = 0; mf_layout_window_lookup(layout, operation, from, &window);
         from = window.start + window.size)
        windows.all[windows.count++] = window;
    return windows;
}

/* Beyond the end of a window, or across it: after a maximal window lies at least a page that faults. */
static uint32_t pick_miss(window_list windows, uint64_t *random) {
    mf_window window = windows.all[next_random(random) % windows.count];
    uint64_t end = window.start + window.size;
    uint64_t kind = next_random(random) % 4;
    if (kind == 0 || end == MF_SPACE_BYTES)
        return (uint32_t)(end - 1 - next_random(random) % 3);
    return (uint32_t)(end + 4 * (next_random(random) % (MF_PAGE_SIZE / 4)));
}

/* The largest window that has lines: where 95 % of the hot pattern goes. */
static mf_window find_hot(window_list windows) {
    mf_window hot = windows.all[0];
    for (size_t i = 1; i < windows.count; i++)
        if (windows.all[i].size > hot.size)
            hot = windows.all[i];
    return hot;
}

/* Fills the entries of one operation: every fourth is a store's. */
static void fill_operation(bench_work *work, const mf_layout *layout, mf_operation operation) {
    uint64_t random = UINT64_C(88172645463325252) + operation;
    mf_window space = {0, MF_SPACE_BYTES};
    window_list windows = list_windows(layout, operation);
    line_pool all = make_pool(work, operation, space);
    line_pool hot = make_pool(work, operation, windows.count == 0 ? space : find_hot(windows));
    for (size_t i = 0; i < work->batch.count; i++) {
        if ((i % 4 == 3) != (operation == MF_STORE))
            continue;
        uint64_t chance = next_random(&random) % 100;
        if (work->pattern == PATTERN_MISSES && chance < 10)
            work->addresses[i] = pick_miss(windows, &random);
        else if (work->pattern == PATTERN_HOT && chance < 95 && hot.count > 0)
            work->addresses[i] = pick(hot, operation, &random);
        else
            work->addresses[i] = pick(all, operation, &random);
    }
    free(all.all);
    free(hot.all);
    free(windows.all);
}

static bool has_lines(const bench_work *work, mf_operation operation) {
    for (size_t i = 0; i < work->line_count; i++)
        if (operation == MF_LOAD || work->lines[i].writable)
            return true;
    return false;
}

static bool make_random(bench_work *work, const mf_layout *layout, bench_set set) {
    if (!has_lines(work, MF_STORE))
        return false;
    work->batch.count = set == SET_1G ? set_lines[SET_1G] : LIST_COUNT;
    work->addresses = make_room(work->batch.count, sizeof *work->addresses);
    fill_operation(work, layout, MF_LOAD);
    fill_operation(work, layout, MF_STORE);
    work->batch.addresses = work->addresses;
    return true;
}

/* ---- Runs ---- */

/* The same number of bytes as the lines, in runs of 256 bytes or more, each at the start of a region. */
static void make_runs(bench_work *work, const mf_layout *layout, size_t wanted_lines) {
    size_t regions = mf_layout_region_count(layout);
    size_t runs = regions < wanted_lines / RUN_LINES_MIN ? regions : wanted_lines / RUN_LINES_MIN;
    work->runs = make_room(runs, sizeof *work->runs);
    work->line_count = 0;
    for (size_t i = 0; i < runs; i++) {
        mf_region region = mf_layout_region(layout, i * regions / runs);
        size_t lines = wanted_lines / runs;
        if (lines > region.size / LINE_BYTES)
            lines = region.size / LINE_BYTES;
        work->runs[i] = (guest_run){(uint32_t)region.start, (uint32_t)(lines * LINE_WORDS)};
        for (size_t j = 0; j < lines; j++)
            work->lines[work->line_count++] =
                (bench_line){(uint32_t)(region.start + j * LINE_BYTES), region.access == MF_READ_WRITE};
    }
    work->batch.runs = work->runs;
    work->batch.count = runs;
}

/* ---- Work ---- */

bool bench_work_make(bench_work *work, const mf_layout *layout, bench_pattern pattern, bench_set set) {
    *work = (bench_work){.pattern = pattern, .batch = {.repeats = 1}};
    uint64_t random = UINT64_C(0x2545f4914f6cdd1d);
    bool made = mf_layout_region_count(layout) > 0;
    if (!made)
        return false;
    make_lines(work, layout, set_lines[set]);
    shuffle(work->lines, work->line_count, &random);
    if (pattern == PATTERN_SEQUENTIAL || pattern == PATTERN_SCALAR)
        make_runs(work, layout, set_lines[set]);
    else if (pattern == PATTERN_DEPENDENT)
        work->batch.count = set == SET_1G ? CHAIN_STEPS_1G : LIST_COUNT;
    else
        made = make_random(work, layout, set);
    work->batch.first = work->lines[0].address;
    work->reduced = work->runs != NULL ? work->batch.count : work->batch.count / REDUCTION;
    return made;
}

void bench_work_fini(bench_work *work) {
    free(work->lines);
    free(work->addresses);
    free(work->runs);
    *work = (bench_work){0};
}

guest_loop_id bench_work_loop(const bench_work *work) {
    switch (work->pattern) {
    case PATTERN_SEQUENTIAL:
        return LOOP_SEQUENTIAL;
    case PATTERN_SCALAR:
        return LOOP_SCALAR;
    case PATTERN_DEPENDENT:
        return LOOP_DEPENDENT;
    case PATTERN_UNIFORM:
    case PATTERN_HOT:
    case PATTERN_MISSES:
        break;
    }
    return LOOP_RANDOM;
}

uint64_t bench_work_accesses(const bench_work *work, uint64_t count) {
    uint64_t words = 0;
    if (work->runs == NULL)
        return count;
    for (uint64_t i = 0; i < count; i++)
        words += work->runs[i].words;
    return words;
}
