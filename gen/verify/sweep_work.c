#include "verify/sweep_work.h"

#include <stdlib.h>

#define AROUND_EDGE 16
#define DEFAULT_SAMPLES 20000
#define EDGES_LOOKED_BESIDE 1000

/* The largest sum of a 32-bit address and a 32-bit offset. */
#define LAST_U33 (2 * (MF_SPACE_BYTES - 1))

/* ---- Spans ---- */

/* What spans are collected with. */
typedef struct collector {
    sweep_work *work;
    const sweep_contract *contract;
    uint64_t end; /* of the indices that there are */
    uint64_t granule;
    uint64_t random;
    uint32_t edge_count;
    bool is_out_of_memory;
} collector;

static void add_span(collector *c, uint64_t first, uint64_t count) {
    sweep_work *w = c->work;
    if (w->span_count == w->span_capacity) {
        size_t capacity = 2 * w->span_capacity + 1024;
        sweep_span *spans = realloc(w->spans, capacity * sizeof *spans);
        c->is_out_of_memory = c->is_out_of_memory || spans == NULL;
        if (spans == NULL)
            return;
        w->spans = spans;
        w->span_capacity = capacity;
    }
    w->spans[w->span_count++] = (sweep_span){first, count};
}

/* The index and as many before and behind it as there are. */
static void add_around(collector *c, uint64_t index) {
    uint64_t first = index < AROUND_EDGE ? 0 : index - AROUND_EDGE;
    uint64_t end = index + AROUND_EDGE + 1 > c->end ? c->end : index + AROUND_EDGE + 1;
    if (first < end)
        add_span(c, first, end - first);
}

/* What may go wrong at an edge goes wrong there, a page or a granule beside it; of many, some do it there. */
static void add_edge(collector *c, uint64_t edge) {
    const uint64_t away[] = {MF_PAGE_SIZE, c->granule};
    bool has_many = c->edge_count++ >= EDGES_LOOKED_BESIDE;
    add_around(c, edge);
    for (size_t i = 0; !has_many && i < sizeof away / sizeof away[0]; i++) {
        add_around(c, edge + away[i]);
        if (edge >= away[i])
            add_around(c, edge - away[i]);
    }
}

static uint64_t heap_end_at(const sweep_contract *c, uint32_t pages) {
    return c->heap.base + (uint64_t)pages * MF_PAGE_SIZE;
}

/* Pages where a permission begins or ends, without the heap's. */
static bool is_edge(const sweep_contract *c, uint32_t page) {
    return c->perms[page] != (page == 0 ? MF_PERM_NONE : c->perms[page - 1]);
}

/* The largest power of two that divides all edges. */
static uint64_t find_granule(const sweep_contract *c) {
    uint32_t bits = MF_SPACE_PAGES;
    for (uint32_t page = 0; page < MF_SPACE_PAGES; page++)
        if (is_edge(c, page))
            bits |= page;
    return (uint64_t)(bits & (0 - bits)) * MF_PAGE_SIZE;
}

static void add_edges(collector *c) {
    const sweep_contract *contract = c->contract;
    add_edge(c, 0);
    add_edge(c, MF_SPACE_BYTES);
    add_edge(c, LAST_U33);
    add_edge(c, contract->bounds_end);
    add_edge(c, heap_end_at(contract, contract->heap.max_pages));
    for (uint32_t i = 0; i < c->work->heap_count; i++)
        add_edge(c, heap_end_at(contract, c->work->heaps[i]));
    for (uint32_t page = 0; page < MF_SPACE_PAGES; page++)
        if (is_edge(contract, page))
            add_edge(c, (uint64_t)page * MF_PAGE_SIZE);
}

/* ---- The sample ---- */

static uint64_t next_random(collector *c) {
    c->random += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t x = c->random;
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* A page that is accessible, by looking from somewhere upwards; any page if there is none near. */
static uint64_t accessible_page(collector *c) {
    uint64_t page = next_random(c) % MF_SPACE_PAGES;
    for (uint32_t i = 0; i < MF_SPACE_PAGES / 16; i++, page = (page + 1) % MF_SPACE_PAGES)
        if (c->contract->perms[page] != MF_PERM_NONE)
            break;
    return page;
}

/* One half anywhere, one half where something is. */
static void add_sample(collector *c, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        uint64_t index = next_random(c) % c->end;
        if (i % 2 == 1)
            index = accessible_page(c) * MF_PAGE_SIZE + next_random(c) % MF_PAGE_SIZE;
        add_span(c, index, 1);
    }
}

/* ---- Order ---- */

static int compare_spans(const void *a, const void *b) {
    const sweep_span *left = a;
    const sweep_span *right = b;
    return (left->first > right->first) - (left->first < right->first);
}

/* Sorted, and what overlaps is one. */
static void merge_spans(sweep_work *w) {
    size_t kept = 0;
    qsort(w->spans, w->span_count, sizeof *w->spans, compare_spans);
    for (size_t i = 0; i < w->span_count; i++) {
        sweep_span *last = &w->spans[kept == 0 ? 0 : kept - 1];
        const sweep_span *span = &w->spans[i];
        uint64_t end = span->first + span->count;
        if (kept == 0 || span->first > last->first + last->count)
            w->spans[kept++] = *span;
        else if (end > last->first + last->count)
            last->count = end - last->first;
    }
    w->span_count = kept;
    for (size_t i = 0; i < kept; i++)
        w->index_count += w->spans[i].count;
}

/* ---- Work ---- */

/* Of 0, 1, half and all pages those that differ. */
static void choose_heaps(sweep_work *w, uint32_t most) {
    const uint32_t wanted[SWEEP_HEAPS_MAX] = {0, 1, most / 2, most};
    for (uint32_t i = 0; i < SWEEP_HEAPS_MAX; i++)
        if (w->heap_count == 0 || (wanted[i] > w->heaps[w->heap_count - 1] && wanted[i] <= most))
            w->heaps[w->heap_count++] = wanted[i];
}

static uint64_t round_down(uint64_t index) {
    return index / SWEEP_BLOCK_BYTES * SWEEP_BLOCK_BYTES;
}

static void choose_range(sweep_work *w, const sweep_contract *c, const mf_accessor_options *options,
                         const mf_sweep_request *request) {
    bool is_u33 = options->index == MF_INDEX_U33;
    uint64_t most = is_u33 ? 2 * MF_SPACE_BYTES : MF_SPACE_BYTES;
    uint64_t usual = is_u33 ? MF_SPACE_BYTES + SWEEP_BLOCK_BYTES : MF_SPACE_BYTES;
    uint64_t end = request->end == 0 ? usual : round_down(request->end + SWEEP_BLOCK_BYTES - 1);
    uint32_t heap_most = sweep_contract_heap_most(c);
    w->first = round_down(request->first);
    w->end = end < most ? end : most;
    w->block_count = w->first < w->end ? (w->end - w->first) / SWEEP_BLOCK_BYTES : 0;
    w->index_count = w->block_count * SWEEP_BLOCK_PAGES * (w->is_paged ? 16 : MF_PAGE_SIZE);
    w->heaps[0] = request->heap_pages < heap_most ? request->heap_pages : heap_most;
    w->heap_count = 1;
}

bool sweep_work_init(sweep_work *w, const sweep_contract *contract, const mf_accessor_options *options,
                     const mf_sweep_request *request) {
    *w = (sweep_work){.is_exhaustive = request->is_exhaustive,
                      .is_paged = options->backend == MF_BACKEND_X86_PAGED};
    if (w->is_exhaustive) {
        choose_range(w, contract, options, request);
        return true;
    }
    bool is_u33 = options->index == MF_INDEX_U33;
    collector c = {.work = w,
                   .contract = contract,
                   .end = is_u33 ? LAST_U33 + 1 : MF_SPACE_BYTES,
                   .granule = find_granule(contract),
                   .random = request->seed};
    choose_heaps(w, sweep_contract_heap_most(contract));
    add_edges(&c);
    add_sample(&c, (request->samples == 0 ? DEFAULT_SAMPLES : request->samples) / w->heap_count);
    merge_spans(w);
    w->block_count = (w->span_count + SWEEP_BLOCK_SPANS - 1) / SWEEP_BLOCK_SPANS * w->heap_count;
    return !c.is_out_of_memory;
}

void sweep_work_fini(sweep_work *w) {
    free(w->spans);
    *w = (sweep_work){0};
}

/* ---- Blocks: those with the first heap, then those with the next ---- */

static uint64_t blocks_of_heap(const sweep_work *w) {
    return w->block_count / w->heap_count;
}

uint32_t sweep_work_heap(const sweep_work *w, uint64_t block) {
    return w->heaps[block / blocks_of_heap(w)];
}

uint64_t sweep_work_begin(const sweep_work *w, uint64_t block) {
    return w->first + block * SWEEP_BLOCK_BYTES;
}

/*
 * A page as a whole, or on paged its first and its last 8 bytes: at its other addresses an access of at most
 * 8 bytes touches no other page, so that the MMU answers alike.
 */
static bool page_span(const sweep_work *w, uint64_t block, uint32_t n, sweep_span *span) {
    uint32_t spans_of_page = w->is_paged ? 2 : 1;
    uint64_t page = sweep_work_begin(w, block) + n / spans_of_page * (uint64_t)MF_PAGE_SIZE;
    *span = (sweep_span){page, MF_PAGE_SIZE};
    if (w->is_paged)
        *span = (sweep_span){n % 2 == 0 ? page : page + MF_PAGE_SIZE - 8, 8};
    return n < spans_of_page * SWEEP_BLOCK_PAGES;
}

bool sweep_work_span(const sweep_work *w, uint64_t block, uint32_t n, sweep_span *span) {
    if (w->is_exhaustive)
        return page_span(w, block, n, span);
    uint64_t place = block % blocks_of_heap(w) * SWEEP_BLOCK_SPANS + n;
    if (n == SWEEP_BLOCK_SPANS || place >= w->span_count)
        return false;
    *span = w->spans[place];
    return true;
}
