/*
 * Whatever is done with a memory, by whatever bytes say: copy and x86_paged, with generated and with generic
 * accessors, and the steps of the plans, agree with the byte-by-byte reference in every value, fault, status,
 * permission and byte.
 *
 * RUN: rm -rf %t.new && mkdir %t.new
 * RUN: %fuzz-cc %s %S/../gen/plan/lib/evaluate.c %reference %S/../lib/engines_hosted.c \
 * RUN:     %S/../lib/engines_inline.c -o %t \
 * RUN:     -Wl,--whole-archive %fuzz -Wl,--no-whole-archive %gen
 * RUN: %t -seed=1 -runs=60 -max_len=512 -artifact_prefix=%t. %t.new %S/corpus/api 2>&1 | FileCheck %s
 *
 * REQUIRES: fuzz
 *
 * CHECK: Done {{[0-9]+}} runs
 */
#include "../gen/plan/lib/evaluate.h"
#include "reference_compare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* ---- The input ---- */

/* Its bytes, and zeros behind them. */
typedef struct input {
    const uint8_t *at;
    size_t left;
} input;

static uint8_t take(input *in) {
    if (in->left == 0)
        return 0;
    in->left--;
    return *in->at++;
}

/* A page near 0, near the middle of the space or near its top. */
static uint64_t take_page(input *in) {
    static const uint64_t FIRST[] = {0, 0x7fff0, 0xfffe0, 0};
    uint8_t byte = take(in);
    return FIRST[byte >> 6] + (byte & 31);
}

/* Often around the edges of a page. */
static uint64_t take_index(input *in) {
    uint64_t start = take_page(in) * MF_PAGE_SIZE;
    uint8_t byte = take(in);
    return byte < 128 ? start + MF_PAGE_SIZE - 1 - (byte & 15) : start + (byte & 127) * 33u;
}

static uint64_t take_length(input *in) {
    uint8_t byte = take(in);
    return byte < 64 ? byte : byte < 250 ? (uint64_t)(byte & 7) * MF_PAGE_SIZE + (byte >> 4) : UINT32_MAX;
}

/* Mostly whole pages; else what is to be refused. */
static uint64_t take_size(input *in) {
    uint8_t byte = take(in);
    return byte < 240 ? (uint64_t)(byte & 15) * MF_PAGE_SIZE : byte == 255 ? UINT64_MAX : byte;
}

/* ---- The world ---- */

static unsigned char bytes_to_write[8 * MF_PAGE_SIZE], bytes_read[2][8 * MF_PAGE_SIZE];

typedef struct world {
    input in;
    reference *reference;
    subject subjects[ENGINE_MAX];
    bool is_changed; /* the accessors may be those of an earlier layout */
} world;

#define EACH_SUBJECT(w, s) (subject *s = (w)->subjects; s < (w)->subjects + ENGINE_COUNT; s++)

static void require(const subject *s, bool condition, const char *what) {
    if (!condition)
        compare_failed(s, "%s", what);
}

static mf_layout *take_layout(world *w, mf_image **image) {
    mf_layout_builder *builder = mf_layout_builder_create();
    mf_layout *layout = NULL;
    uint64_t unused;
    mf_heap heap = {(uint32_t)(take_page(&w->in) * MF_PAGE_SIZE), take(&w->in) & 15};
    if (heap.max_pages == 0 || mf_layout_builder_set_heap(builder, heap.base, heap.max_pages, NULL) != MF_OK)
        heap = (mf_heap){0};
    w->reference = reference_create(heap);
    for (unsigned count = take(&w->in) & 7; count > 0; count--) {
        uint64_t start = take_page(&w->in) * MF_PAGE_SIZE, size = take_size(&w->in);
        uint8_t byte = take(&w->in);
        mf_access access = (byte & 1) != 0 ? MF_READ_WRITE : MF_READ_ONLY;
        mf_status status =
            mf_layout_builder_map_region(builder, start, size, access, bytes_to_write, byte, NULL);
        if (status != reference_map_region(w->reference, start, size, access, bytes_to_write, byte, &unused))
            abort();
    }
    if (mf_layout_builder_finish(builder, &layout, image, NULL) != MF_OK)
        abort();
    mf_layout_builder_destroy(builder);
    reference_seal(w->reference);
    return layout;
}

static void open_world(world *w) {
    uint8_t byte = take(&w->in);
    mf_accessor_options options = {
        .endian = byte & 1, .on_fault = byte >> 1 & 1, .index = byte >> 2 & 1, .base = byte >> 3 & 1};
    mf_image *image = NULL;
    mf_layout *layout = take_layout(w, &image);
    for (size_t i = 0; i < ENGINE_COUNT; i++) {
        mf_memory *memory;
        if (mf_memory_create(layout, image, ENGINES[i].backend, &memory, NULL) != MF_OK)
            abort();
        subject_init(&w->subjects[i], &ENGINES[i], memory, &options, (byte & 16) != 0);
    }
    mf_layout_release(layout);
    mf_image_release(image);
}

static void close_world(world *w) {
    for
        EACH_SUBJECT(w, s)
    subject_fini(s);
    reference_destroy(w->reference);
}

/* ---- Accesses ---- */

static void do_access(world *w) {
    const mf_accessor_options *options = &w->subjects[0].options;
    access a = {take(&w->in) % MF_ACCESSOR_COUNT, take_index(&w->in), 0};
    for (unsigned i = 0; i < 8; i++)
        a.value = a.value << 8 | take(&w->in);
    if (options->index == MF_INDEX_U33 && (a.value & 7) == 7)
        a.index += MF_SPACE_BYTES / 2;
    expectation expected = reference_access(w->reference, options, a);
    for
        EACH_SUBJECT(w, s) {
            if (w->is_changed)
                subject_renew(s);
            compare_access(w->reference, expected, s, a);
        }
    w->is_changed = false;
}

static void do_bulk(world *w, uint8_t verb) {
    uint32_t to = (uint32_t)take_index(&w->in), from = (uint32_t)take_index(&w->in);
    uint64_t length = take_length(&w->in);
    uint8_t byte = take(&w->in);
    bool fits = length <= sizeof bytes_to_write;
    reference *r = w->reference;
    bool expected = verb == 0   ? fits && reference_read(r, from, bytes_read[0], length)
                    : verb == 1 ? fits && reference_write(r, to, bytes_to_write + byte % 16,
                                                          length - byte % 16 * (length > 15))
                    : verb == 2 ? reference_fill(r, to, byte, length)
                                : reference_copy(r, to, from, length);
    for
        EACH_SUBJECT(w, s) {
            bool done = verb == 0   ? fits && mf_view_read(s->view, from, bytes_read[1], length)
                        : verb == 1 ? fits && mf_view_write(s->view, to, bytes_to_write + byte % 16,
                                                            length - byte % 16 * (length > 15))
                        : verb == 2 ? mf_view_fill(s->view, to, byte, length)
                                    : mf_view_copy(s->view, to, from, length);
            require(s, done == expected, "a bulk operation");
            require(s, verb != 0 || !done || memcmp(bytes_read[0], bytes_read[1], length) == 0,
                    "what was read");
            compare_fault(r, s);
        }
}

static void do_question(world *w) {
    uint32_t index = (uint32_t)take_index(&w->in);
    uint64_t length = take_length(&w->in);
    mf_operation operation = (take(&w->in) & 1) != 0 ? MF_STORE : MF_LOAD;
    bool expected = reference_is_accessible(w->reference, index, length, operation);
    for
        EACH_SUBJECT(w, s)
    require(s, mf_view_is_accessible(s->view, index, length, operation) == expected, "is_accessible");
}

/* ---- Changes ---- */

static void do_map(world *w) {
    w->is_changed = true;
    uint64_t start = take_page(&w->in) * MF_PAGE_SIZE, size = take_size(&w->in), offending;
    uint8_t byte = take(&w->in);
    start += byte == 77; /* refused */
    mf_access access = (byte & 1) != 0 ? MF_READ_WRITE : MF_READ_ONLY;
    mf_status expected =
        reference_map_region(w->reference, start, size, access, bytes_to_write, byte, &offending);
    for
        EACH_SUBJECT(w, s) {
            mf_diag diag = {0};
            mf_status status =
                mf_memory_map_region(s->memory, start, size, access, bytes_to_write, byte, &diag);
            require(s, status == expected && (status == MF_OK || diag.value == offending), "map_region");
        }
}

static void do_protect(world *w) {
    w->is_changed = true;
    uint64_t start = take_page(&w->in) * MF_PAGE_SIZE, size = take_size(&w->in), offending;
    mf_perm perm = take(&w->in) % 3;
    mf_status expected = reference_protect(w->reference, start, size, perm, &offending);
    for
        EACH_SUBJECT(w, s)
    require(s, mf_memory_protect(s->memory, start, size, perm, NULL) == expected, "protect");
}

static void do_unmap(world *w) {
    w->is_changed = true;
    uint64_t start = take_page(&w->in) * MF_PAGE_SIZE, size = take_size(&w->in), offending;
    mf_status expected = reference_unmap(w->reference, start, size, &offending);
    for
        EACH_SUBJECT(w, s)
    require(s, mf_memory_unmap(s->memory, start, size, NULL) == expected, "unmap");
}

static void do_sbrk(world *w) {
    uint64_t bytes = take_length(&w->in), top = 0, expected_top = 0;
    bool expected = reference_sbrk(w->reference, bytes, &expected_top);
    for
        EACH_SUBJECT(w, s) {
            bool done = mf_memory_sbrk(s->memory, bytes, &top, NULL) == MF_OK;
            require(s, done == expected && (!done || top == expected_top), "sbrk");
        }
}

static void do_reset(world *w) {
    w->is_changed = true;
    reference_reset(w->reference);
    for
        EACH_SUBJECT(w, s)
    require(s, mf_memory_reset(s->memory, NULL) == MF_OK, "reset");
}

/* All goes on with the clones. */
static void do_clone(world *w) {
    w->is_changed = true;
    reference *clone = reference_clone(w->reference);
    reference_destroy(w->reference);
    w->reference = clone;
    for
        EACH_SUBJECT(w, s) {
            mf_memory *made;
            require(s, mf_memory_clone(s->memory, &made, NULL) == MF_OK, "clone");
            mf_memory_destroy(subject_move(s, made));
        }
}

/* ---- Plans ---- */

static void do_plan(world *w) {
    static uint8_t table[1 << 17];
    uint8_t byte = take(&w->in);
    mf_accessor_id id = take(&w->in) % MF_ACCESSOR_COUNT;
    mf_accessor_options options = {.strategy = byte % 8, .index = byte >> 3 & 1, .spectre = byte >> 4 & 1};
    const subject *s = &w->subjects[0];
    mf_layout *layout;
    mf_plan plan;
    require(s, mf_memory_layout(s->memory, &layout, NULL) == MF_OK, "layout");
    bool is_exact = mf_plan_make(layout, id, &options, &plan, NULL) == MF_OK;
    evaluated_memory memory = {s->view->perms, table, s->view->heap_end, mf_layout_fingerprint(layout)};
    if (is_exact)
        mf_plan_fill_table(layout, &plan, table);
    for (unsigned i = 0; is_exact && i < 4; i++) {
        uint64_t index = take_index(&w->in), touched;
        evaluated_access at = {index, plan.width_bytes};
        bool wanted = reference_is_accessible(w->reference, index, plan.width_bytes, plan.operation);
        mf_exit exit = evaluate(&plan, &memory, at, &touched);
        require(s, exit == (wanted ? MF_EXIT_ALLOWED : MF_EXIT_FAULT), "a plan's steps");
    }
    mf_layout_release(layout);
}

/* ---- The run ---- */

static void do_one(world *w) {
    static void (*const ACTIONS[])(world *) = {do_access, do_access, do_access,  do_access, do_question,
                                               do_map,    do_map,    do_protect, do_unmap,  do_sbrk,
                                               do_reset,  do_clone,  do_plan};
    const unsigned count = sizeof ACTIONS / sizeof ACTIONS[0];
    uint8_t byte = take(&w->in) % (count + 4);
    if (byte < count)
        ACTIONS[byte](w);
    else
        do_bulk(w, (uint8_t)(byte - count));
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc, (void)argv;
    engines_start();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    world w = {.in = {data, bytes}};
    for (size_t i = 0; i < sizeof bytes_to_write; i++)
        bytes_to_write[i] = (unsigned char)(i * 7 + 1);
    open_world(&w);
    while (w.in.left > 0)
        do_one(&w);
    for
        EACH_SUBJECT(&w, s) {
            compare_pages_state(w.reference, s);
            compare_bytes(w.reference, s);
        }
    close_world(&w);
    return 0;
}
