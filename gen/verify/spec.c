#include "verify/spec.h"

#include <string.h>

static uint64_t end_of(mf_region region) {
    return region.start + region.size;
}

/* sbrk refuses to grow over a page that is not NONE. */
static uint64_t find_growth_end(const mf_layout *layout) {
    mf_heap heap = mf_layout_heap(layout);
    uint64_t end = heap.base + (uint64_t)heap.max_pages * MF_PAGE_SIZE;
    for (size_t n = 0; n < mf_layout_region_count(layout); n++) {
        mf_region region = mf_layout_region(layout, n);
        uint64_t start = region.start > heap.base ? region.start : heap.base;
        if (end_of(region) > heap.base && start < end)
            end = start;
    }
    return end;
}

static uint64_t find_bounds(const mf_layout *layout) {
    mf_heap heap = mf_layout_heap(layout);
    uint64_t bounds = heap.max_pages == 0 ? 0 : heap.base + (uint64_t)heap.max_pages * MF_PAGE_SIZE;
    for (size_t n = 0; n < mf_layout_region_count(layout); n++)
        if (end_of(mf_layout_region(layout, n)) > bounds)
            bounds = end_of(mf_layout_region(layout, n));
    return bounds;
}

spec spec_make(const mf_layout *layout, const mf_accessor_options *options) {
    if (layout == NULL)
        return (spec){
            .options = *options, .growth_end = MF_SPACE_BYTES, .stamp = MF_LAYOUT_STAMP(0, options->backend)};
    return (spec){.layout = layout,
                  .options = *options,
                  .growth_start = mf_layout_heap(layout).base,
                  .growth_end = find_growth_end(layout),
                  .bounds = find_bounds(layout),
                  .stamp = MF_LAYOUT_STAMP(mf_layout_fingerprint(layout), options->backend)};
}

static size_t region_count(const spec *s) {
    return s->layout == NULL ? 0 : mf_layout_region_count(s->layout);
}

static bool permits(mf_region region, mf_operation operation) {
    return operation == MF_LOAD || region.access == MF_READ_WRITE;
}

/* ---- On numbers ---- */

static mf_perm region_perm(const spec *s, uint64_t index) {
    bool is_there = s->layout != NULL && index < MF_SPACE_BYTES;
    return is_there ? mf_layout_perm_of(s->layout, (uint32_t)index) : MF_PERM_NONE;
}

static bool perm_permits(mf_perm perm, mf_operation operation) {
    return perm == MF_PERM_RW || (perm == MF_PERM_RO && operation == MF_LOAD);
}

mf_perm spec_live_perm(const spec *s, uint64_t page, uint64_t heap_end) {
    uint64_t index = page * MF_PAGE_SIZE;
    bool is_heap = s->growth_start <= index && index < heap_end;
    return is_heap ? MF_PERM_RW : region_perm(s, index);
}

bool spec_page_permits(const spec *s, mf_operation operation, uint64_t index) {
    return perm_permits(spec_live_perm(s, index / MF_PAGE_SIZE, s->growth_end), operation);
}

static void fill(uint8_t *pages, uint64_t start, uint64_t end) {
    memset(pages + start / MF_PAGE_SIZE, 1, (end - start) / MF_PAGE_SIZE);
}

void spec_fill_pages(const spec *s, mf_operation operation, uint8_t *pages) {
    memset(pages, 0, MF_SPACE_PAGES);
    fill(pages, s->growth_start, s->growth_end);
    for (size_t n = 0; n < region_count(s); n++) {
        mf_region region = mf_layout_region(s->layout, n);
        if (permits(region, operation))
            fill(pages, region.start, end_of(region));
    }
}

bool spec_allows(const spec *s, const spec_access *access, uint64_t index, uint64_t heap_end) {
    uint64_t last = index + access->width_bytes - 1;
    if (s->options.policy == MF_POLICY_NONE)
        return true;
    if (s->options.policy == MF_POLICY_BOUNDS)
        return last < s->bounds;
    return perm_permits(spec_live_perm(s, index / MF_PAGE_SIZE, heap_end), access->operation) &&
           perm_permits(spec_live_perm(s, last / MF_PAGE_SIZE, heap_end), access->operation);
}

uint64_t spec_masked_place(const spec *s, mf_operation operation, bool looks_up) {
    uint64_t first = s->growth_start < s->growth_end ? s->growth_start : MF_SPACE_BYTES;
    if (looks_up || s->options.policy == MF_POLICY_BOUNDS)
        return 0;
    for (size_t n = 0; n < region_count(s); n++) {
        mf_region region = mf_layout_region(s->layout, n);
        if (permits(region, operation) && region.start < first)
            first = region.start;
    }
    return first;
}

bool spec_window(const spec *s, mf_operation operation, uint64_t address, mf_window *window) {
    if (address >= MF_SPACE_BYTES || !spec_page_permits(s, operation, address))
        return false;
    *window = (mf_window){address / MF_PAGE_SIZE * MF_PAGE_SIZE, MF_PAGE_SIZE};
    while (window->start > 0 && spec_page_permits(s, operation, window->start - MF_PAGE_SIZE))
        *window = (mf_window){window->start - MF_PAGE_SIZE, window->size + MF_PAGE_SIZE};
    while (spec_page_permits(s, operation, window->start + window->size))
        window->size += MF_PAGE_SIZE;
    return true;
}

/* ---- On terms ---- */

/* start <= index < end */
static term is_within(terms *t, term index, uint64_t start, term end) {
    return term_and(t, term_ule(t, term_const(t, 64, start), index), term_ult(t, index, end));
}

/*
 * The n-th maximal run of regions that permit the operation, from region *next on, which is left behind it.
 * False if there is none. Fewer comparisons say the same, and the solver has less to do.
 */
static bool next_run(const spec *s, mf_operation operation, size_t *next, mf_window *run) {
    size_t count = region_count(s);
    while (*next < count && !permits(mf_layout_region(s->layout, *next), operation))
        ++*next;
    if (*next == count)
        return false;
    mf_region first = mf_layout_region(s->layout, (*next)++);
    uint64_t end = end_of(first);
    for (; *next < count; ++*next) {
        mf_region region = mf_layout_region(s->layout, *next);
        if (region.start != end || !permits(region, operation))
            break;
        end = end_of(region);
    }
    *run = (mf_window){first.start, end - first.start};
    return true;
}

term spec_accessible(const spec *s, terms *t, mf_operation operation, term index, term heap_end) {
    term any = term_const(t, 1, 0);
    mf_window run;
    for (size_t next = 0; next_run(s, operation, &next, &run);)
        any = term_or(t, any, is_within(t, index, run.start, term_const(t, 64, run.start + run.size)));
    if (s->growth_start < s->growth_end)
        any = term_or(t, any, is_within(t, index, s->growth_start, heap_end));
    return any;
}

/* start <= index and index + length <= end, of which the sum is not reduced */
static term lies_within(terms *t, term index, term length, uint64_t start, term end) {
    term is_there = is_within(t, index, start, end);
    return term_and(t, is_there, term_ule(t, length, term_sub(t, end, index)));
}

/* Not empty, it lies in one window: in a run of regions, or in the heap with the run that it continues and,
 * when it is full, the one that continues it. */
static term range_within(const spec *s, terms *t, mf_operation operation, term index, term length,
                         term heap_end) {
    term any = term_const(t, 1, 0);
    bool grows = s->growth_start < s->growth_end;
    uint64_t heap_start = s->growth_start;
    uint64_t full_end = s->growth_end;
    mf_window run;
    for (size_t next = 0; next_run(s, operation, &next, &run);) {
        uint64_t end = run.start + run.size;
        any = term_or(t, any, lies_within(t, index, length, run.start, term_const(t, 64, end)));
        heap_start = end == s->growth_start ? run.start : heap_start;
        full_end = run.start == s->growth_end ? end : full_end;
    }
    if (!grows)
        return any;
    term is_full = term_eq(t, heap_end, term_const(t, 64, s->growth_end));
    term end = term_ite(t, is_full, term_const(t, 64, full_end), heap_end);
    return term_or(t, any, lies_within(t, index, length, heap_start, end));
}

term spec_empty_accessible(const spec *s, terms *t, mf_operation operation, term index, term heap_end) {
    term any = term_ule(t, index, term_const(t, 64, s->options.policy == MF_POLICY_BOUNDS ? s->bounds : 0));
    mf_window run;
    if (s->options.empty_range != MF_EMPTY_WITHIN)
        return term_const(t, 1, 1);
    if (s->options.policy == MF_POLICY_BOUNDS)
        return any;
    for (size_t next = 0; next_run(s, operation, &next, &run);)
        any = term_or(t, any, term_ule(t, index, term_const(t, 64, run.start + run.size)));
    if (s->growth_start < s->growth_end) {
        term has_page = term_ult(t, term_const(t, 64, s->growth_start), heap_end);
        any = term_or(t, any, term_and(t, has_page, term_ule(t, index, heap_end)));
    }
    return any;
}

term spec_range_accessible(const spec *s, terms *t, mf_operation operation, term index, term length,
                           term heap_end) {
    term is_empty = term_eq(t, length, term_const(t, 64, 0));
    term empty = spec_empty_accessible(s, t, operation, index, heap_end);
    term within = s->options.policy == MF_POLICY_BOUNDS
                      ? lies_within(t, index, length, 0, term_const(t, 64, s->bounds))
                      : range_within(s, t, operation, index, length, heap_end);
    return term_ite(t, is_empty, empty, within);
}

term spec_heap_end_is_possible(const spec *s, terms *t, term heap_end) {
    term is_page = term_eq(t, term_extract(t, heap_end, 0, MF_PAGE_LOG2), term_const(t, MF_PAGE_LOG2, 0));
    term is_high = term_ule(t, term_const(t, 64, s->growth_start), heap_end);
    term is_low = term_ule(t, heap_end, term_const(t, 64, s->growth_end));
    return term_and(t, is_page, term_and(t, is_high, is_low));
}

static term reversed(terms *t, term bytes) {
    term all = term_extract(t, bytes, 0, 8);
    for (uint32_t at = 8; at < terms_width(t, bytes); at += 8)
        all = term_concat(t, all, term_extract(t, bytes, at, 8));
    return all;
}

term spec_loaded(const spec *s, terms *t, const spec_access *access, term raw) {
    term all = s->options.endian == MF_BIG_ENDIAN ? reversed(t, raw) : raw;
    term bits = term_extract(t, all, 0, access->value_bits);
    return access->sign_extends ? term_sext(t, bits, 64) : term_zext(t, bits, 64);
}

term spec_stored(const spec *s, terms *t, const spec_access *access, term value) {
    term bits = term_zext(t, term_extract(t, value, 0, access->value_bits), 8 * access->width_bytes);
    return s->options.endian == MF_BIG_ENDIAN ? reversed(t, bits) : bits;
}

uint32_t spec_place_of_byte(const spec *s, const spec_access *access, uint32_t n) {
    return s->options.endian == MF_BIG_ENDIAN ? access->width_bytes - 1 - n : n;
}

term spec_value_byte(terms *t, const spec_access *access, uint32_t n, term byte) {
    uint32_t left = access->value_bits - 8 * n;
    return left >= 8 ? byte : term_zext(t, term_extract(t, byte, 0, left), 8);
}
