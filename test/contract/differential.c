// Random layouts, random options, random accesses and live changes: every engine of the table against the
// byte-by-byte reference. MEMFOLD_TEST_ACCESSES says how many accesses; MEMFOLD_TEST_SEED is the seed of the
// first round, and each round's is one more, so that a round that failed can be repeated alone.
//
// RUN: %cc %s %reference %S/../lib/engines_hosted.c %S/../lib/engines_inline.c -o %t %gen
// RUN: %t | FileCheck %s
//
// The same without an operating system:
//
// RUN: %bare-sets %t.sets
// RUN: %bare-cc -DACCESSES_DEFAULT=1000000 %s %reference %bare-lib/engines_bare.c %t.sets/*.o -o %t.kernel
// RUN: %boot %t.kernel | FileCheck %s --check-prefix=BARE
//
// And with frames at touch:
//
// RUN: echo -DKERNEL_FRAMES=MF_BARE_FRAMES_AT_TOUCH -DACCESSES_DEFAULT=100000 > %t.at_touch
// RUN: %bare-cc @%t.at_touch %s %reference %bare-lib/engines_bare.c %t.sets/*.o -o %t.touch
// RUN: %boot %t.touch | FileCheck %s --check-prefix=BARE
//
// BARE-DAG: bare/generic: {{[1-9][0-9]*}} accesses
// BARE-DAG: bare/aot: {{[1-9][0-9]*}} accesses
// BARE-DAG: changes: {{[1-9][0-9]*}}, refused: {{[1-9][0-9]*}}, clones: {{[1-9][0-9]*}}, freezes: {{[1-9][0-9]*}}
// BARE: accesses: {{10....+}}, faults: {{[1-9][0-9]*}}
// BARE-NEXT: all engines agree
//
// There is one thread; the thread sanitizer only makes every 4 GiB reservation slow.
// UNSUPPORTED: sanitize-thread
//
// CHECK-DAG: copy/generic: {{[1-9][0-9]*}} accesses
// CHECK-DAG: copy/jit: {{[1-9][0-9]*}} accesses
// CHECK-DAG: copy/stencil: {{[1-9][0-9]*}} accesses
// CHECK-DAG: copy/inline: {{[1-9][0-9]*}} accesses
// CHECK-DAG: x86_paged/generic: {{[1-9][0-9]*}} accesses
// CHECK-DAG: x86_paged/jit: {{[1-9][0-9]*}} accesses
// CHECK-DAG: x86_paged/stencil: {{[1-9][0-9]*}} accesses
// CHECK-DAG: x86_paged/inline: {{[1-9][0-9]*}} accesses
// CHECK-DAG: changes: {{[1-9][0-9]*}}, refused: {{[1-9][0-9]*}}, clones: {{[1-9][0-9]*}}, freezes: {{[1-9][0-9]*}}
// CHECK-DAG: bulk: {{[1-9][0-9]*}}, faults: {{[1-9][0-9]*}}
// CHECK: accesses: {{[1-9][0-9]*}}, faults: {{[1-9][0-9]*}}, layouts: {{[1-9][0-9]*}}
// CHECK-NEXT: all engines agree
#include "random.h"
#include "reference_compare.h"

#include <memfold/layout.h>

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef ACCESSES_DEFAULT
#define ACCESSES_DEFAULT 300000
#endif
/*
 * Making code takes as long as ten thousand accesses or more. A long run has about this many layouts, a short
 * one has fewer, but not fewer accesses on each.
 */
#define LAYOUTS_WANTED 3000
#define ACCESSES_PER_LAYOUT_MIN 600
#define ACCESSES_PER_COMPARISON 500

/* Without an operating system every page of a region takes a frame at once. */
#define HAS_HUGE_REGIONS __STDC_HOSTED__

#define REGIONS_MAX 40
#define EDGES_MAX 160
#define HEAP_PAGES_MAX 24
/* What read and write move at most, and the bytes that a random buffer has to give. */
#define BUFFER_BYTES (UINT64_C(4) * MF_PAGE_SIZE)

typedef struct round {
    uint64_t seed;
    uint64_t step;
    random_source random;
    mf_region regions[REGIONS_MAX];
    size_t region_count;
    mf_heap heap;
    bool has_huge_region; /* then bulk lengths stay small: the reference looks at every byte */
    uint64_t edges[EDGES_MAX];
    size_t edge_count;
    mf_accessor_options options; /* strategy AUTO; see renew */
    mf_strategy wanted_strategy;
    reference *reference;
    subject subjects[ENGINE_MAX];
    size_t subject_count;
    reference *left_reference; /* what the originals were when they were last cloned, or NULL */
    mf_memory *left[ENGINE_MAX];
    char doing[128]; /* the change or bulk operation under way */
} round_state;

static struct {
    uint64_t accesses;
    uint64_t faults;
    uint64_t layouts;
    uint64_t bulk;
    uint64_t bulk_faults;
    uint64_t changes;
    uint64_t refused;
    uint64_t clones;
    uint64_t freezes;
    uint64_t by_engine[ENGINE_MAX];
} totals;

/* ---- What to say when something differs ---- */

static const round_state *current_round;

static void print_options(const mf_accessor_options *o) {
    printf("options: policy %d endian %d on_fault %d base %d index %d spectre %d strategy %d stale %d\n",
           (int)o->policy, (int)o->endian, (int)o->on_fault, (int)o->base, (int)o->index, (int)o->spectre,
           (int)o->strategy, (int)o->stale);
}

static void print_live_regions(const reference *r) {
    uint64_t start = 0;
    for (uint64_t page = 1; page <= MF_SPACE_PAGES; page++) {
        if (page < MF_SPACE_PAGES && r->now.perms[page] == r->now.perms[start])
            continue;
        if (r->now.perms[start] != MF_PERM_NONE)
            printf("  [0x%" PRIx64 ", 0x%" PRIx64 ") %s\n", start * MF_PAGE_SIZE, page * MF_PAGE_SIZE,
                   r->now.perms[start] == MF_PERM_RO ? "ro" : "rw");
        start = page;
    }
}

static void describe_round(void) {
    const round_state *w = current_round;
    printf("reproduce with MEMFOLD_TEST_SEED=%" PRIu64 ": round 1, step %" PRIu64 "\n", w->seed, w->step);
    printf("last change or bulk operation: %s\n", w->doing);
    print_options(&w->subjects[0].options);
    printf("heap: base 0x%x, %u pages, top 0x%" PRIx64 "; pages now:\n", w->heap.base, w->heap.max_pages,
           w->reference->now.heap_top);
    print_live_regions(w->reference);
}

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
static void
doing(round_state *w, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(w->doing, sizeof w->doing, format, arguments);
    va_end(arguments);
}

/* ---- Layouts ---- */

/* The latest edges are the likeliest to matter: a full list forgets the oldest ones after the first two. */
static void add_edge(round_state *w, uint64_t index) {
    if (w->edge_count == EDGES_MAX)
        memmove(&w->edges[2], &w->edges[3], (--w->edge_count - 2) * sizeof w->edges[0]);
    w->edges[w->edge_count++] = index;
}

static uint64_t pick_edge(round_state *w) {
    return w->edges[random_below(&w->random, w->edge_count)];
}

static void add_region(round_state *w, uint64_t first_page, uint64_t page_count) {
    if (first_page >= MF_SPACE_PAGES || page_count == 0 || w->region_count == REGIONS_MAX)
        return;
    uint64_t most = MF_SPACE_PAGES - first_page;
    mf_region region = {
        .start = first_page * MF_PAGE_SIZE,
        .size = (page_count < most ? page_count : most) * MF_PAGE_SIZE,
        .access = random_one_in(&w->random, 2) ? MF_READ_ONLY : MF_READ_WRITE,
    };
    w->regions[w->region_count++] = region;
    add_edge(w, region.start);
    add_edge(w, region.start + region.size);
}

/* Within `span` pages from `origin`; half of the regions begin right behind the one before, or nearly so. */
static void add_regions(round_state *w, uint64_t count) {
    static const uint64_t SPANS[] = {12, 64, 1024, MF_SPACE_PAGES};
    random_source *random = &w->random;
    uint64_t span = SPANS[random_below(random, 4)];
    uint64_t origins[] = {0, MF_SPACE_PAGES - span, random_below(random, MF_SPACE_PAGES - span + 1)};
    uint64_t origin = origins[random_below(random, 3)];
    uint64_t end = origin;
    for (uint64_t i = 0; i < count; i++) {
        bool follows = random_one_in(random, 2);
        uint64_t first = follows ? end + random_below(random, 3) : origin + random_below(random, span);
        uint64_t size = random_between(random, 1, random_one_in(random, 4) ? 8 : 2);
        add_region(w, first, size);
        end = first + size;
    }
}

static void add_special_regions(round_state *w) {
    random_source *random = &w->random;
    if (random_one_in(random, 3))
        add_region(w, 0, random_between(random, 1, 3));
    if (random_one_in(random, 3))
        add_region(w, MF_SPACE_PAGES - random_between(random, 1, 3), 3);
    w->has_huge_region = HAS_HUGE_REGIONS && random_one_in(random, 24);
    if (w->has_huge_region && random_one_in(random, 2))
        add_region(w, 0, MF_SPACE_PAGES);
    else if (w->has_huge_region)
        add_region(w, random_below(random, MF_SPACE_PAGES), random_below(random, MF_SPACE_PAGES));
}

/* Beside a region, anywhere, at 0, or up to 2^32; and sometimes a region begins inside it or where it ends.
 */
static void add_heap(round_state *w) {
    random_source *random = &w->random;
    uint64_t max_pages = random_below(random, HEAP_PAGES_MAX + 1);
    uint64_t bases[] = {
        pick_edge(w) / MF_PAGE_SIZE,
        pick_edge(w) / MF_PAGE_SIZE + random_below(random, 3),
        random_below(random, MF_SPACE_PAGES - HEAP_PAGES_MAX),
        0,
        MF_SPACE_PAGES - max_pages,
    };
    uint64_t base = bases[random_below(random, 5)];
    if (base >= MF_SPACE_PAGES)
        return;
    if (max_pages > MF_SPACE_PAGES - base)
        max_pages = MF_SPACE_PAGES - base;
    w->heap = (mf_heap){(uint32_t)(base * MF_PAGE_SIZE), (uint32_t)max_pages};
    add_edge(w, base * MF_PAGE_SIZE);
    add_edge(w, (base + max_pages) * MF_PAGE_SIZE);
    uint64_t inside = base + random_below(random, max_pages + 1);
    if (random_one_in(random, 2))
        add_region(w, random_one_in(random, 2) ? inside : base + max_pages, random_between(random, 1, 3));
}

static void choose_layout(round_state *w) {
    add_edge(w, 0);
    add_edge(w, MF_SPACE_BYTES);
    add_regions(w, random_between(&w->random, 1, REGIONS_MAX - 4));
    size_t few = random_between(&w->random, 1, 3);
    if (few < w->region_count && random_one_in(&w->random, 3))
        w->region_count = few;
    add_special_regions(w);
    if (!random_one_in(&w->random, 3))
        add_heap(w);
}

/* ---- Building it on both sides ---- */

static void fill_random(random_source *random, unsigned char *bytes, size_t count) {
    for (size_t i = 0; i < count; i++)
        bytes[i] = (unsigned char)random_u64(random);
}

/* Initial bytes of a region: none, some, all, or more than it holds. */
static size_t pick_init_bytes(random_source *random, uint64_t size) {
    uint64_t most = size + 64 < BUFFER_BYTES ? size + 64 : BUFFER_BYTES;
    return random_one_in(random, 3) ? 0 : (size_t)random_below(random, most + 1);
}

static void build_regions(round_state *w, mf_layout_builder *builder) {
    unsigned char init[BUFFER_BYTES];
    mf_diag diag;
    uint64_t offending;
    for (size_t i = 0; i < w->region_count; i++) {
        mf_region region = w->regions[i];
        size_t init_bytes = pick_init_bytes(&w->random, region.size);
        fill_random(&w->random, init, init_bytes);
        mf_status status = mf_layout_builder_map_region(builder, region.start, region.size, region.access,
                                                        init, init_bytes, &diag);
        engines_must(status, &diag, "map_region of a builder");
        reference_map_region(w->reference, region.start, region.size, region.access, init, init_bytes,
                             &offending);
    }
}

/* Bytes on both sides of some edges, so also in pages that have no permission. */
static void build_bytes(round_state *w, mf_layout_builder *builder) {
    unsigned char bytes[16];
    mf_diag diag;
    for (uint64_t i = random_below(&w->random, 4); i > 0; i--) {
        uint64_t edge = pick_edge(w);
        uint64_t start = edge < 8 ? 0 : edge - 8;
        size_t count = MF_SPACE_BYTES - start < 16 ? (size_t)(MF_SPACE_BYTES - start) : 16;
        fill_random(&w->random, bytes, count);
        engines_must(mf_layout_builder_set_bytes(builder, start, bytes, count, &diag), &diag, "set_bytes");
        for (size_t k = 0; k < count; k++)
            reference_poke(w->reference, start + k, bytes[k]);
    }
}

static void build_layout(round_state *w, mf_layout **layout, mf_image **image) {
    mf_diag diag;
    mf_layout_builder *builder = mf_layout_builder_create();
    w->reference = reference_create(w->heap);
    engines_must(mf_layout_builder_set_heap(builder, w->heap.base, w->heap.max_pages, &diag), &diag,
                 "set_heap");
    build_regions(w, builder);
    build_bytes(w, builder);
    reference_seal(w->reference);
    engines_must(mf_layout_builder_finish(builder, layout, image, &diag), &diag, "finish");
    mf_layout_builder_destroy(builder);
}

/* ---- Options ---- */

static void choose_options(round_state *w) {
    random_source *random = &w->random;
    w->options = (mf_accessor_options){
        .policy = random_one_in(random, 8) ? MF_POLICY_BOUNDS : MF_POLICY_PERMS,
        .endian = (mf_endian)random_below(random, 2),
        .on_fault = (mf_on_fault)random_below(random, 2),
        .base = random_one_in(random, 5) ? MF_BASE_CONSTANT : (mf_base)random_below(random, 2),
        .index = (mf_index)random_below(random, 2),
        .spectre = (mf_spectre)random_below(random, 2),
        .stale = (mf_stale)random_below(random, 2),
        .order = (mf_order)random_below(random, 2),
    };
    if (w->options.policy == MF_POLICY_PERMS && random_one_in(random, 2))
        w->wanted_strategy = (mf_strategy)random_between(random, MF_STRATEGY_AUTO, MF_STRATEGY_PERM_TABLE);
}

/* New accessors for everyone, with the wanted strategy where it is exact for the layout of now. */
static void renew(round_state *w) {
    totals.layouts++;
    for (size_t i = 0; i < w->subject_count; i++) {
        subject *s = &w->subjects[i];
        mf_layout *layout;
        mf_diag diag;
        engines_must(mf_memory_layout(s->memory, &layout, &diag), &diag, "mf_memory_layout");
        mf_accessor_options wanted = s->options;
        wanted.strategy = w->wanted_strategy;
        bool is_exact = engines_strategy_is_exact(layout, &wanted);
        s->options.strategy = is_exact ? wanted.strategy : MF_STRATEGY_AUTO;
        mf_layout_release(layout);
        subject_renew(s);
    }
}

/* ---- Accesses ---- */

#define INDEX_U33_MAX (2 * (MF_SPACE_BYTES - 1))

static uint64_t pick_index(round_state *w, mf_index type) {
    random_source *random = &w->random;
    uint64_t near = pick_edge(w) + random_below(random, 19) - 9;
    uint64_t choices[] = {
        near,
        near,
        near,
        pick_edge(w) + random_below(random, 4 * MF_PAGE_SIZE) - 2 * MF_PAGE_SIZE,
        pick_edge(w) + random_below(random, 4 * MF_PAGE_SIZE) - 2 * MF_PAGE_SIZE,
        near + MF_SPACE_BYTES,
        INDEX_U33_MAX - random_below(random, 9),
        random_u64(random) & INDEX_U33_MAX,
    };
    uint64_t index = choices[random_below(random, 8)];
    return type == MF_INDEX_U33 && index <= INDEX_U33_MAX ? index : (uint32_t)index;
}

static void step_access(round_state *w) {
    access a = {
        .id = (mf_accessor_id)random_below(&w->random, MF_ACCESSOR_COUNT),
        .index = pick_index(w, w->options.index),
        .value = random_u64(&w->random),
    };
    expectation expected = reference_access(w->reference, &w->options, a);
    for (size_t i = 0; i < w->subject_count; i++) {
        compare_access(w->reference, expected, &w->subjects[i], a);
        totals.by_engine[w->subjects[i].engine - ENGINES]++;
    }
    totals.accesses++;
    totals.faults += expected.status != 0;
}

/* ---- Bulk operations ---- */

static uint64_t pick_length(round_state *w, uint32_t address) {
    random_source *random = &w->random;
    uint64_t rest = MF_SPACE_BYTES - address;
    uint64_t huge[] = {
        rest, rest + 1, MF_SPACE_BYTES, UINT64_MAX, UINT64_MAX - address, UINT64_MAX - address + 1};
    if (random_one_in(random, 64) && !w->has_huge_region)
        return huge[random_below(random, 6)];
    if (random_one_in(random, 12))
        return 0;
    uint64_t lengths[] = {random_below(random, 20), random_below(random, 20),
                          random_below(random, BUFFER_BYTES + 1), random_below(random, 4) * MF_PAGE_SIZE};
    return lengths[random_below(random, 4)];
}

static void require_answer(const subject *s, bool actual, bool expected, const char *operation) {
    if (actual != expected)
        compare_failed(s, "%s answers %d, not %d", operation, actual, expected);
}

/* After a bulk operation: the same record, and on success the same memory. */
static void bulk_done(round_state *w, bool is_done) {
    for (size_t i = 0; i < w->subject_count; i++) {
        compare_fault(w->reference, &w->subjects[i]);
        if (is_done)
            compare_bytes(w->reference, &w->subjects[i]);
    }
    totals.bulk++;
    totals.bulk_faults += !is_done;
}

static void step_read(round_state *w, uint32_t address, uint64_t length) {
    static unsigned char expected[BUFFER_BYTES];
    static unsigned char actual[BUFFER_BYTES];
    length = length < BUFFER_BYTES ? length : BUFFER_BYTES;
    bool is_done = reference_read(w->reference, address, expected, length);
    for (size_t i = 0; i < w->subject_count; i++) {
        subject *s = &w->subjects[i];
        require_answer(s, mf_view_read(s->view, address, actual, length), is_done, "read");
        if (is_done && memcmp(actual, expected, length) != 0)
            compare_failed(s, "read gives other bytes");
    }
    bulk_done(w, false);
    totals.bulk_faults -= is_done;
}

static void step_write(round_state *w, uint32_t address, uint64_t length) {
    static unsigned char bytes[BUFFER_BYTES];
    length = length < BUFFER_BYTES ? length : BUFFER_BYTES;
    fill_random(&w->random, bytes, length < 64 ? length : 64);
    bool is_done = reference_write(w->reference, address, bytes, length);
    for (size_t i = 0; i < w->subject_count; i++)
        require_answer(&w->subjects[i], mf_view_write(w->subjects[i].view, address, bytes, length), is_done,
                       "write");
    bulk_done(w, is_done);
}

static void step_fill(round_state *w, uint32_t address, uint64_t length) {
    uint8_t byte = (uint8_t)random_u64(&w->random);
    bool is_done = reference_fill(w->reference, address, byte, length);
    for (size_t i = 0; i < w->subject_count; i++)
        require_answer(&w->subjects[i], mf_view_fill(w->subjects[i].view, address, byte, length), is_done,
                       "fill");
    bulk_done(w, is_done);
}

/* Half of the copies overlap, or may. */
static void step_copy(round_state *w, uint32_t from, uint64_t length) {
    uint32_t beside = from + (uint32_t)random_below(&w->random, 64) - 32;
    uint32_t to = random_one_in(&w->random, 2) ? beside : (uint32_t)pick_index(w, MF_INDEX_U32);
    bool is_done = reference_copy(w->reference, to, from, length);
    for (size_t i = 0; i < w->subject_count; i++)
        require_answer(&w->subjects[i], mf_view_copy(w->subjects[i].view, to, from, length), is_done, "copy");
    bulk_done(w, is_done);
}

static void step_span(round_state *w, uint32_t address, uint64_t length) {
    mf_operation operation = (mf_operation)random_below(&w->random, 2);
    bool is_done = reference_check(w->reference, address, length, operation);
    for (size_t i = 0; i < w->subject_count; i++) {
        subject *s = &w->subjects[i];
        const unsigned char *span = mf_view_span(s->view, address, length, operation);
        const unsigned char *expected = is_done ? s->view->base + address : NULL;
        require_answer(s, span == expected, true, "span");
        for (uint64_t k = 0; is_done && k < length && k < 64; k++)
            if (span[k] != reference_peek(w->reference, address + k))
                compare_failed(s, "byte %" PRIu64 " of a span is 0x%02x", k, span[k]);
    }
    bulk_done(w, is_done);
}

static void step_is_accessible(round_state *w, uint32_t address, uint64_t length) {
    mf_operation operation = (mf_operation)random_below(&w->random, 2);
    bool expected = reference_is_accessible(w->reference, address, length, operation);
    for (size_t i = 0; i < w->subject_count; i++) {
        subject *s = &w->subjects[i];
        require_answer(s, mf_view_is_accessible(s->view, address, length, operation), expected,
                       "is_accessible");
    }
    bulk_done(w, expected);
}

static void step_bulk(round_state *w) {
    static void (*const STEPS[])(round_state *, uint32_t, uint64_t) = {
        step_read, step_write, step_fill, step_copy, step_span, step_is_accessible,
    };
    static const char *const NAMES[] = {"read", "write", "fill", "copy", "span", "is_accessible"};
    uint64_t which = random_below(&w->random, sizeof STEPS / sizeof STEPS[0]);
    uint32_t address = (uint32_t)pick_index(w, MF_INDEX_U32);
    uint64_t length = pick_length(w, address);
    doing(w, "%s 0x%x, length 0x%" PRIx64, NAMES[which], address, length);
    STEPS[which](w, address, length);
}

/* ---- Changes ---- */

static void compare_all_bytes(round_state *w) {
    for (size_t i = 0; i < w->subject_count; i++)
        compare_bytes(w->reference, &w->subjects[i]);
}

static void compare_everything(round_state *w) {
    for (size_t i = 0; i < w->subject_count; i++) {
        compare_pages_state(w->reference, &w->subjects[i]);
        compare_fault(w->reference, &w->subjects[i]);
    }
    compare_all_bytes(w);
}

/* A few pages at an edge; one in eight is no legal range. */
static void pick_range(round_state *w, uint64_t *start, uint64_t *size) {
    random_source *random = &w->random;
    static const uint64_t BAD_SIZES[] = {1,
                                         4095,
                                         HAS_HUGE_REGIONS ? MF_SPACE_BYTES : 4097,
                                         UINT64_MAX,
                                         ~UINT64_C(4095),
                                         MF_SPACE_BYTES + 4096};
    uint64_t edge_page = pick_edge(w) / MF_PAGE_SIZE;
    uint64_t back = random_below(random, 4);
    uint64_t page = edge_page < back ? 0 : edge_page - back;
    *start = page * MF_PAGE_SIZE;
    *size = random_below(random, 7) * MF_PAGE_SIZE;
    if (!random_one_in(random, 8)) {
        uint64_t rest = MF_SPACE_BYTES - *start;
        *size = *size < rest ? *size : rest;
    } else if (random_one_in(random, 2)) {
        *start += random_below(random, MF_PAGE_SIZE + 1);
    } else {
        *size = BAD_SIZES[random_below(random, 6)];
    }
}

/* Status and offending number of one change on one subject. */
static void require_change(const subject *s, mf_status actual, const mf_diag *diag, mf_status expected,
                           uint64_t offending) {
    if (actual != expected)
        compare_failed(s, "status %s, not %s", mf_status_name(actual), mf_status_name(expected));
    if (expected != MF_OK && diag->value != offending)
        compare_failed(s, "offending number 0x%" PRIx64 ", not 0x%" PRIx64, diag->value, offending);
}

static void changed(round_state *w, mf_status status, uint64_t start, uint64_t size) {
    totals.changes++;
    totals.refused += status != MF_OK;
    if (status == MF_OK) {
        w->has_huge_region |= size > REGIONS_MAX * BUFFER_BYTES;
        add_edge(w, start);
        add_edge(w, start + size);
    }
    compare_everything(w);
}

static void change_map(round_state *w) {
    unsigned char init[BUFFER_BYTES];
    uint64_t start, size, offending;
    pick_range(w, &start, &size);
    mf_access access = random_one_in(&w->random, 2) ? MF_READ_ONLY : MF_READ_WRITE;
    size_t init_bytes = pick_init_bytes(&w->random, size % (2 * MF_PAGE_SIZE));
    fill_random(&w->random, init, init_bytes);
    const unsigned char *bytes = random_one_in(&w->random, 4) ? NULL : init;
    doing(w, "map_region 0x%" PRIx64 " 0x%" PRIx64 " %d, %zu bytes", start, size, (int)access, init_bytes);
    mf_status expected =
        reference_map_region(w->reference, start, size, access, bytes, init_bytes, &offending);
    for (size_t i = 0; i < w->subject_count; i++) {
        mf_diag diag = {0};
        mf_status status =
            mf_memory_map_region(w->subjects[i].memory, start, size, access, bytes, init_bytes, &diag);
        require_change(&w->subjects[i], status, &diag, expected, offending);
    }
    changed(w, expected, start, size);
}

static void change_protect(round_state *w) {
    uint64_t start, size, offending;
    pick_range(w, &start, &size);
    mf_perm perm = (mf_perm)random_between(&w->random, MF_PERM_NONE, MF_PERM_RW);
    doing(w, "protect 0x%" PRIx64 " 0x%" PRIx64 " %d", start, size, (int)perm);
    mf_status expected = reference_protect(w->reference, start, size, perm, &offending);
    for (size_t i = 0; i < w->subject_count; i++) {
        mf_diag diag = {0};
        mf_status status = mf_memory_protect(w->subjects[i].memory, start, size, perm, &diag);
        require_change(&w->subjects[i], status, &diag, expected, offending);
    }
    changed(w, expected, start, size);
}

static void change_unmap(round_state *w) {
    uint64_t start, size, offending;
    pick_range(w, &start, &size);
    doing(w, "unmap 0x%" PRIx64 " 0x%" PRIx64, start, size);
    mf_status expected = reference_unmap(w->reference, start, size, &offending);
    for (size_t i = 0; i < w->subject_count; i++) {
        mf_diag diag = {0};
        mf_status status = mf_memory_unmap(w->subjects[i].memory, start, size, &diag);
        require_change(&w->subjects[i], status, &diag, expected, offending);
    }
    changed(w, expected, start, size);
}

static void change_reset(round_state *w) {
    doing(w, "reset");
    reference_reset(w->reference);
    for (size_t i = 0; i < w->subject_count; i++) {
        mf_diag diag;
        engines_must(mf_memory_reset(w->subjects[i].memory, &diag), &diag, "mf_memory_reset");
    }
    changed(w, MF_OK, w->heap.base, 0);
}

/* Not a change of the layout: the accessors go on. */
static void step_sbrk(round_state *w) {
    random_source *random = &w->random;
    uint64_t to_edge = pick_edge(w) - w->reference->now.heap_top;
    uint64_t sizes[] = {
        0,
        random_below(random, 64),
        random_below(random, 3 * MF_PAGE_SIZE),
        MF_PAGE_SIZE,
        (uint64_t)w->heap.max_pages * MF_PAGE_SIZE + random_below(random, 3) - 1,
        to_edge,
        to_edge,
        UINT64_MAX,
    };
    uint64_t bytes = sizes[random_below(random, 8)];
    uint64_t expected_top = 0;
    doing(w, "sbrk 0x%" PRIx64, bytes);
    bool expected = reference_sbrk(w->reference, bytes, &expected_top);
    mf_status expected_status = expected ? MF_OK : MF_HEAP_REFUSED;
    for (size_t i = 0; i < w->subject_count; i++) {
        uint64_t old_top = 0;
        mf_diag diag = {0};
        mf_status status = mf_memory_sbrk(w->subjects[i].memory, bytes, &old_top, &diag);
        require_change(&w->subjects[i], status, &diag, expected_status, bytes);
        if (old_top != expected_top)
            compare_failed(&w->subjects[i], "old top 0x%" PRIx64 ", not 0x%" PRIx64, old_top, expected_top);
    }
    changed(w, expected_status, expected_top + bytes, 0);
}

/* ---- Clones ---- */

/* What is left behind by the last clone is as it was then, and its reset does not need the clone. */
static void drop_left(round_state *w) {
    if (w->left_reference == NULL)
        return;
    for (size_t i = 0; i < w->subject_count; i++) {
        subject s = {.engine = w->subjects[i].engine, .memory = w->left[i]};
        s.view = mf_memory_view(s.memory);
        compare_pages_state(w->left_reference, &s);
        compare_bytes(w->left_reference, &s);
    }
    reference_reset(w->left_reference);
    for (size_t i = 0; i < w->subject_count; i++) {
        subject s = {.engine = w->subjects[i].engine, .memory = w->left[i]};
        s.view = mf_memory_view(s.memory);
        mf_diag diag;
        engines_must(mf_memory_reset(s.memory, &diag), &diag, "mf_memory_reset");
        compare_pages_state(w->left_reference, &s);
        compare_bytes(w->left_reference, &s);
        engines_discard(s.memory, w->left_reference->empty_range);
    }
    reference_destroy(w->left_reference);
    w->left_reference = NULL;
}

/* Everyone goes on with a clone, with the accessors of the original: the layout is the same. */
static void step_clone(round_state *w) {
    doing(w, "clone");
    drop_left(w);
    w->left_reference = w->reference;
    w->reference = reference_clone(w->left_reference);
    for (size_t i = 0; i < w->subject_count; i++) {
        mf_memory *clone = engines_clone(w->subjects[i].memory, w->reference->empty_range);
        w->left[i] = subject_move(&w->subjects[i], clone);
    }
    totals.clones++;
    compare_everything(w);
}

static mf_memory *create_frozen(const round_state *w, const subject *s) {
    mf_image *image;
    mf_memory *memory;
    mf_diag diag;
    mf_memory_config config = {.backend = mf_memory_backend(s->memory),
                               .huge_pages = MF_HUGE_PAGES_NEVER,
                               .empty_range = w->reference->empty_range,
                               .index = mf_memory_index_of(s->memory)};
    engines_must(mf_memory_freeze(s->memory, &image, &diag), &diag, "mf_memory_freeze");
    engines_must(mf_memory_create_with(NULL, image, &config, &memory, &diag), &diag, "mf_memory_create");
    mf_image_release(image);
    return memory;
}

/* Everyone goes on with a memory that begins where the original was frozen, with the same accessors. */
static void step_freeze(round_state *w) {
    doing(w, "freeze");
    drop_left(w);
    w->left_reference = w->reference;
    w->reference = reference_clone(w->left_reference);
    reference_seal(w->reference);
    for (size_t i = 0; i < w->subject_count; i++)
        w->left[i] = subject_move(&w->subjects[i], create_frozen(w, &w->subjects[i]));
    totals.freezes++;
    compare_everything(w);
}

static void change(round_state *w) {
    static void (*const CHANGES[])(round_state *) = {
        change_map,     change_map,   change_map,   change_protect,
        change_protect, change_unmap, change_unmap, change_reset,
    };
    CHANGES[random_below(&w->random, sizeof CHANGES / sizeof CHANGES[0])](w);
}

/* ---- Rounds ---- */

static void round_open(round_state *w, uint64_t seed) {
    *w = (round_state){.seed = seed, .random = {seed}};
    mf_layout *layout;
    mf_image *image;
    mf_diag diag;
    choose_layout(w);
    choose_options(w);
    build_layout(w, &layout, &image);
    bool use_further_view = random_one_in(&w->random, 2);
    bool is_narrow = w->options.index == MF_INDEX_U32 && random_one_in(&w->random, 2);
    w->reference->empty_range = (mf_empty_range)random_below(&w->random, 2);
    for (size_t i = 0; i < ENGINE_COUNT; i++) {
        mf_memory *memory;
        if (!ENGINES[i].serves(&w->options))
            continue;
        /* Accesses are spread over all edges: a huge page for each would be gigabytes. */
        mf_memory_config config = {.backend = ENGINES[i].backend,
                                   .huge_pages = MF_HUGE_PAGES_NEVER,
                                   .empty_range = w->reference->empty_range,
                                   .index = is_narrow ? MF_MEMORY_U32 : MF_MEMORY_U33};
        mf_status status = mf_memory_create_with(layout, image, &config, &memory, &diag);
        engines_must(status, &diag, "mf_memory_create");
        subject_init(&w->subjects[w->subject_count++], &ENGINES[i], memory, &w->options, use_further_view);
    }
    mf_layout_release(layout);
    mf_image_release(image);
}

static void make_readable(round_state *w, uint64_t start, uint64_t size) {
    uint64_t offending;
    reference_protect(w->reference, start, size, MF_PERM_RO, &offending);
    for (size_t i = 0; i < w->subject_count; i++) {
        mf_diag diag;
        engines_must(mf_memory_protect(w->subjects[i].memory, start, size, MF_PERM_RO, &diag), &diag,
                     "protect");
    }
}

/* The pages on both sides of an edge; what is past the space compares as nothing. */
static void for_edge_pages(round_state *w, void (*visit)(round_state *w, uint64_t page)) {
    for (size_t k = 0; k < w->edge_count; k++)
        for (uint64_t page = w->edges[k] / MF_PAGE_SIZE, n = 0; n < 2; page--, n++)
            if (page < MF_SPACE_PAGES)
                visit(w, page);
}

static void make_page_readable(round_state *w, uint64_t page) {
    make_readable(w, page * MF_PAGE_SIZE, MF_PAGE_SIZE);
}

static void compare_page_everywhere(round_state *w, uint64_t page) {
    for (size_t i = 0; i < w->subject_count; i++)
        compare_page(w->reference, &w->subjects[i], page);
}

/*
 * At the end every page is made readable, or all that can have bytes, so that what lies hidden under
 * MF_PERM_NONE is compared too.
 */
static void reveal(round_state *w) {
    doing(w, "protect everything");
    if (HAS_HUGE_REGIONS) {
        make_readable(w, 0, MF_SPACE_BYTES);
    } else {
        for (size_t i = 0; i < w->reference->now.page_count; i++)
            make_page_readable(w, w->reference->now.pages[i]->number);
        for_edge_pages(w, make_page_readable);
    }
    compare_all_bytes(w);
    for_edge_pages(w, compare_page_everywhere);
}

static void round_close(round_state *w) {
    compare_everything(w);
    drop_left(w);
    reveal(w);
    for (size_t i = 0; i < w->subject_count; i++)
        subject_fini(&w->subjects[i]);
    reference_destroy(w->reference);
}

static void run_layout(round_state *w, uint64_t accesses) {
    renew(w);
    for (uint64_t i = 1; i <= accesses; i++) {
        w->step++;
        step_access(w);
        if (random_one_in(&w->random, 24))
            step_bulk(w);
        if (random_one_in(&w->random, 400))
            step_sbrk(w);
        if (random_one_in(&w->random, 5000))
            step_clone(w);
        if (random_one_in(&w->random, 5000))
            step_freeze(w);
        if (i % ACCESSES_PER_COMPARISON == 0)
            compare_all_bytes(w);
    }
}

static void run_round(uint64_t seed, uint64_t accesses_per_layout) {
    static round_state w;
    round_open(&w, seed);
    current_round = &w;
    compare_everything(&w);
    for (uint64_t layouts = random_between(&w.random, 2, 8); layouts > 0; layouts--) {
        run_layout(&w, accesses_per_layout);
        for (uint64_t changes = random_between(&w.random, 1, 4); changes > 0; changes--)
            change(&w);
    }
    round_close(&w);
}

static uint64_t number_from_environment(const char *name, uint64_t otherwise) {
    const char *text = getenv(name);
    return text == NULL ? otherwise : strtoull(text, NULL, 0);
}

int main(void) {
    uint64_t wanted = number_from_environment("MEMFOLD_TEST_ACCESSES", ACCESSES_DEFAULT);
    uint64_t seed = number_from_environment("MEMFOLD_TEST_SEED", 1);
    uint64_t spread = wanted / LAYOUTS_WANTED;
    uint64_t accesses_per_layout = spread > ACCESSES_PER_LAYOUT_MIN ? spread : ACCESSES_PER_LAYOUT_MIN;
    compare_describe = describe_round;
    engines_start();
    while (totals.accesses < wanted)
        run_round(seed++, accesses_per_layout);
    engines_stop();
    for (size_t i = 0; i < ENGINE_COUNT; i++)
        printf("%s: %" PRIu64 " accesses\n", ENGINES[i].name, totals.by_engine[i]);
    printf("changes: %" PRIu64 ", refused: %" PRIu64 ", clones: %" PRIu64 ", freezes: %" PRIu64 "\n",
           totals.changes, totals.refused, totals.clones, totals.freezes);
    printf("bulk: %" PRIu64 ", faults: %" PRIu64 "\n", totals.bulk, totals.bulk_faults);
    printf("accesses: %" PRIu64 ", faults: %" PRIu64 ", layouts: %" PRIu64 "\n", totals.accesses,
           totals.faults, totals.layouts);
    printf("all engines agree\n");
    return 0;
}
