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

bool spec_allows(const spec *s, const mf_accessor_info *info, uint64_t index, uint64_t heap_end) {
    uint64_t last = index + info->width_bytes - 1;
    if (s->options.policy == MF_POLICY_NONE)
        return true;
    if (s->options.policy == MF_POLICY_BOUNDS)
        return last < s->bounds;
    return perm_permits(spec_live_perm(s, index / MF_PAGE_SIZE, heap_end), info->operation) &&
           perm_permits(spec_live_perm(s, last / MF_PAGE_SIZE, heap_end), info->operation);
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
 * Regions that follow each other make one comparison: which bytes are accessible does not change, and the
 * solver has less to do.
 */
term spec_accessible(const spec *s, terms *t, mf_operation operation, term index, term heap_end) {
    term any = term_const(t, 1, 0);
    size_t count = region_count(s);
    for (size_t n = 0; n < count;) {
        mf_region first = mf_layout_region(s->layout, n++);
        if (!permits(first, operation))
            continue;
        uint64_t end = end_of(first);
        for (; n < count; n++) {
            mf_region next = mf_layout_region(s->layout, n);
            if (next.start != end || !permits(next, operation))
                break;
            end = end_of(next);
        }
        any = term_or(t, any, is_within(t, index, first.start, term_const(t, 64, end)));
    }
    if (s->growth_start < s->growth_end)
        any = term_or(t, any, is_within(t, index, s->growth_start, heap_end));
    return any;
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

term spec_loaded(const spec *s, terms *t, const mf_accessor_info *info, term raw) {
    term bits = s->options.endian == MF_BIG_ENDIAN ? reversed(t, raw) : raw;
    return info->sign_extends ? term_sext(t, bits, 64) : term_zext(t, bits, 64);
}

term spec_stored(const spec *s, terms *t, const mf_accessor_info *info, term value) {
    term bits = term_extract(t, value, 0, 8 * info->width_bytes);
    return s->options.endian == MF_BIG_ENDIAN ? reversed(t, bits) : bits;
}
