// Flipped bytes of emitted objects: each flip is refused, refuted, or proved; what is proved does natively
// what the contract says, and what is refuted does something else, where that can be run.
//
// RUN: %cc -I%source/gen -isystem %llvm-include %s %S/lib/flip_run.c %S/lib/rerun.c %S/../../lib/reference.c -o %t %verify %gen -rdynamic -ldl
// RUN: %t %t.object | FileCheck %s
//
// The long run tries every bit of every object: MEMFOLD_TEST_FLIPS=all, with the same arguments. It shows how
// far it is; MEMFOLD_TEST_PART=3/8 tries the third of eight parts, so that it can be done in pieces.
//
// What crashes in a process of its own would be the sanitizer's to report.
// UNSUPPORTED: sanitizer
//
// CHECK:      window: [[#]] flips: [[#]] refused, [[#]] refuted
// CHECK:      windows in turn: [[#]] flips
// CHECK:      granule table: [[#]] flips
// CHECK:      granule bitmap, trap, stale: [[#]] flips
// CHECK:      permission table: [[#]] flips
// CHECK:      heap, big-endian: [[#]] flips
// CHECK:      mask, u33: [[#]] flips
// CHECK:      paged: [[#]] flips
// CHECK:      500 flips, none is proved and wrong, most of the refuted ran wrong
// CHECK-NOT:  {{.}}
#include "lib/flip_run.h"
#include "lib/rerun.h"
#include "random.h"

#include "verify/object_cover.h"

#include <memfold/aot.h>
#include <memfold/embed.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void must(mf_status status, const mf_diag *diag) {
    if (status == MF_OK)
        return;
    printf("%s\n", diag->message);
    exit(1);
}

/* ---- Objects ---- */

typedef struct kind {
    const char *name;
    uint64_t regions[4][3]; /* start, size, access */
    mf_heap heap;
    mf_accessor_options options;
} kind;

#define RO MF_READ_ONLY
#define RW MF_READ_WRITE

static const kind KINDS[] = {
    {"window", {{0x20000, 0x8000, RW}}, {0}, {0}},
    {"windows in turn",
     {{0x10000, 0x4000, RO}, {0x80000, 0x8000, RW}, {0xfff00000, 0x100000, RW}},
     {0},
     {.strategy = MF_STRATEGY_IN_TURN}},
    {"granule table",
     {{0x10000000, 0x10000000, RW}, {0x50000000, 0x20000000, RO}, {0xf0000000, 0x10000000, RW}},
     {0},
     {.strategy = MF_STRATEGY_GRANULE_TABLE}},
    {"granule bitmap, trap, stale",
     {{0x10000000, 0x10000000, RW}, {0x52000000, 0x20000000, RO}, {0xf0000000, 0x10000000, RW}},
     {0},
     {.strategy = MF_STRATEGY_GRANULE_BITMAP, .on_fault = MF_ON_FAULT_TRAP, .stale = MF_STALE_CHECK}},
    {"permission table",
     {{0x10000, 0x4000, RO}, {0x80000, 0x8000, RW}, {0xfff00000, 0x100000, RW}},
     {0},
     {.strategy = MF_STRATEGY_PERM_TABLE}},
    {"heap, big-endian",
     {{0x10000, 0x4000, RO}, {0x20000, 0x8000, RW}, {0xfefd0000, 0x10000, RW}},
     {0x28000, 256},
     {.endian = MF_BIG_ENDIAN}},
    {"mask, u33", {{0x20000, 0x8000, RW}}, {0}, {.spectre = MF_SPECTRE_MASK, .index = MF_INDEX_U33}},
    {"paged", {{0x10000, 0x4000, RO}, {0x80000, 0x8000, RW}}, {0}, {.backend = MF_BACKEND_X86_PAGED}},
};
#define KIND_COUNT (sizeof KINDS / sizeof KINDS[0])

/* What the proof of an accessor of the right object has come by, in distances from the section. */
typedef struct event {
    mf_accessor_id id;
    object_section section;
    uint64_t offset;
    uint64_t count; /* 0: an exception entry */
} event;

/* The right object, what was found out about it, and what its flips were. */
typedef struct subject {
    const kind *kind;
    mf_layout *layout;
    char *bytes;
    char *changed; /* the same, and for a while one byte is not */
    size_t byte_count;
    object right;
    event *events;
    size_t event_count;
    unsigned refused, refuted, speculative, run, unseen, not_proved, not_covered, proved, same;
} subject;

static mf_layout *make_layout(const kind *k) {
    mf_layout_builder *builder = mf_layout_builder_create();
    mf_layout *layout;
    mf_diag diag;
    for (size_t i = 0; i < 4 && k->regions[i][1] != 0; i++)
        must(mf_layout_builder_map_region(builder, k->regions[i][0], k->regions[i][1],
                                          (mf_access)k->regions[i][2], NULL, 0, &diag),
             &diag);
    if (k->heap.max_pages > 0)
        must(mf_layout_builder_set_heap(builder, k->heap.base, k->heap.max_pages, &diag), &diag);
    must(mf_layout_builder_finish(builder, &layout, NULL, &diag), &diag);
    mf_layout_builder_destroy(builder);
    return layout;
}

/* ---- Events ---- */

static void note_event(subject *s, mf_accessor_id id, uint64_t address, uint64_t count) {
    for (object_section section = 0; section < OBJECT_LOADED_COUNT; section++)
        if (address - s->right.images[section].address < s->right.images[section].count) {
            s->events = realloc(s->events, (s->event_count + 1) * sizeof *s->events);
            if (s->events == NULL)
                exit(1);
            s->events[s->event_count++] =
                (event){id, section, address - s->right.images[section].address, count};
        }
}

static void note_executed(void *context, mf_accessor_id id, uint64_t address, uint32_t count) {
    note_event(context, id, address, count);
}

static void note_entry(void *context, mf_accessor_id id, uint64_t access) {
    note_event(context, id, access, 0);
}

static void note_read(void *context, mf_accessor_id id, uint64_t address, uint64_t count) {
    note_event(context, id, address, count);
}

/* Tells a cover of another object what the proofs of the accessors that are not in `accessors` have come by.
 */
static void replay(const subject *s, object_cover *c, uint32_t accessors) {
    verify_observer o = object_cover_observer(c);
    for (size_t i = 0; i < s->event_count; i++) {
        const event *e = &s->events[i];
        uint64_t address = c->o->images[e->section].address + e->offset;
        if ((accessors >> e->id & 1) != 0)
            continue;
        if (e->count == 0)
            o.used_entry(o.context, e->id, address);
        else if (e->section == OBJECT_TEXT)
            o.executed(o.context, e->id, address, (uint32_t)e->count);
        else
            o.read_data(o.context, e->id, address, e->count);
    }
}

static void prove_right(subject *s) {
    verify_prover *prover;
    mf_verify_report report;
    mf_diag diag;
    const verify_observer observer = {s, note_executed, note_entry, note_read};
    must(object_init(&s->right, s->bytes, s->byte_count, &diag), &diag);
    must(verify_prover_create(s->layout, &s->kind->options, NULL, &prover, &diag), &diag);
    verify_code code = object_code(&s->right, &observer);
    must(verify_prover_prove_all(prover, &code, &report, &diag), &diag);
    verify_prover_destroy(prover);
    must(mf_verify_object(s->bytes, s->byte_count, s->layout, NULL, NULL, NULL, &report, &diag), &diag);
    if (!report.all_proved) {
        printf("%s: the object is not proved\n", s->kind->name);
        exit(1);
    }
}

static void subject_init(subject *s, const kind *k) {
    mf_aot_options options = {.accessors = k->options, .symbol_prefix = "guest"};
    mf_diag diag;
    *s = (subject){.kind = k, .layout = make_layout(k)};
    must(mf_aot_emit(s->layout, &options, MF_EMIT_OBJECT, &s->bytes, &s->byte_count, &diag), &diag);
    s->changed = malloc(s->byte_count);
    if (s->changed == NULL)
        exit(1);
    memcpy(s->changed, s->bytes, s->byte_count);
    prove_right(s);
}

static void subject_fini(subject *s) {
    object_fini(&s->right);
    mf_aot_free(s->bytes);
    free(s->changed);
    mf_layout_release(s->layout);
    free(s->events);
}

/* ---- What a flip touches ---- */

static bool section_is_same(const object *a, const object *b, size_t x, size_t y) {
    const Elf64_Shdr *of_a = &a->file.sections[x];
    const Elf64_Shdr *of_b = &b->file.sections[y];
    return x == y && of_a->sh_size == of_b->sh_size &&
           memcmp(elf_file_bytes(&a->file, x), elf_file_bytes(&b->file, y), of_a->sh_size) == 0;
}

/* Of a changed object that the reader has let pass: the accessors that may do something else, bit n for the
 * n-th. */
static uint32_t touched_accessors(const object *right, const object *o) {
    uint32_t all = (UINT32_C(1) << MF_ACCESSOR_COUNT) - 1;
    uint32_t touched = 0;
    const size_t *a = right->sections;
    const size_t *b = o->sections;
    static const object_section OF_ALL[] = {OBJECT_TABLES, OBJECT_SET, OBJECT_ENTRIES};
    if (!mf_accessor_options_equal(&right->note.options, &o->note.options) ||
        !section_is_same(right, o, right->relocations[OBJECT_TEXT], o->relocations[OBJECT_TEXT]) ||
        !section_is_same(right, o, right->relocations[OBJECT_ENTRIES], o->relocations[OBJECT_ENTRIES]) ||
        right->images[OBJECT_TEXT].count != o->images[OBJECT_TEXT].count)
        return all;
    for (size_t i = 0; i < sizeof OF_ALL / sizeof OF_ALL[0]; i++)
        if (!section_is_same(right, o, a[OF_ALL[i]], b[OF_ALL[i]]))
            return all;
    const unsigned char *code = elf_file_bytes(&right->file, a[OBJECT_TEXT]);
    const unsigned char *changed = elf_file_bytes(&o->file, b[OBJECT_TEXT]);
    for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++) {
        const object_function *f = &right->functions[id];
        bool is_same = f->start == o->functions[id].start && f->bytes == o->functions[id].bytes &&
                       memcmp(code + f->start, changed + f->start, f->bytes) == 0;
        touched |= is_same ? 0 : UINT32_C(1) << id;
    }
    return touched;
}

/* ---- One flip ---- */

static const char *object_path;
static unsigned wrong;

typedef struct flip {
    size_t at;
    unsigned char by;
} flip;

static void note_wrong(const subject *s, flip f, const char *what) {
    printf("%s: byte 0x%zx ^ 0x%02x: %s\n", s->kind->name, f.at, f.by, what);
    wrong++;
}

/* Proved: what runs is right, also around all edges. */
static void check_proved(subject *s, flip f, const object *o, uint32_t touched) {
    loaded object;
    s->proved++;
    if (touched == 0) {
        s->same++;
        return;
    }
    if (!load_object(object_path, o->file.bytes, o->file.byte_count, &o->note, &object)) {
        note_wrong(s, f, "proved, and does not load");
        return;
    }
    if (!sweep_finds_nothing(&object, s->layout, &o->note.options, touched))
        note_wrong(s, f, "proved, and wrong");
    unload_object(&object);
}

/*
 * Refuted: what runs is wrong, in nearly all cases where a call can show it; by the counterexample, or, if
 * the same is wrong elsewhere, around the edges. A call does not show where a mispredicted branch leads,
 * which is counted apart; and neither what is read besides, what the runtime is handed in registers of which
 * it looks at some, how the stack is aligned, and what depends on where the view, the stack and the tables
 * lie, which is not the counterexample's to say here.
 */
static void check_refuted(subject *s, flip f, const object *o, const mf_verify_result *result) {
    loaded object;
    s->refuted++;
    if (!load_object(object_path, o->file.bytes, o->file.byte_count, &o->note, &object)) {
        note_wrong(s, f, "refuted, and does not load");
        return;
    }
    mf_accessor_fn *function = mf_accessors_member(object.set, result->id);
    if (result->counterexample.is_speculative) {
        s->speculative++;
    } else if (rerun_differs(function, s->layout, &o->note.options, result) ||
               sweep_finds_counterexample(&object, s->layout, &o->note.options, result) ||
               !sweep_finds_nothing(&object, s->layout, &o->note.options, UINT32_C(1) << result->id)) {
        s->run++;
    } else {
        static char text[2048];
        mf_verify_print(result, text, sizeof text);
        fprintf(stderr, "%s: byte 0x%zx ^ 0x%02x: refuted, and not seen\n%s\n", s->kind->name, f.at, f.by,
                text);
        s->unseen++;
    }
    unload_object(&object);
}

static void judge(subject *s, flip f, object *o, object_cover *c) {
    mf_verify_report report = {0};
    uint32_t touched = touched_accessors(&s->right, o);
    replay(s, c, touched);
    mf_status status = object_prove(c, s->layout, NULL, NULL, touched, &report);
    if (status == MF_OK && report.all_proved) {
        check_proved(s, f, o, touched);
        return;
    }
    for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT && status == MF_OK; id++) {
        if (report.results[id].verdict == MF_VERDICT_REFUTED) {
            check_refuted(s, f, o, &report.results[id]);
            return;
        }
    }
    if (status == MF_OK)
        s->not_proved++;
    else
        s->not_covered++;
}

static void try_flip(subject *s, flip f) {
    mf_diag diag = {0};
    object o;
    object_cover c = {0};
    s->changed[f.at] = (char)(s->changed[f.at] ^ f.by);
    mf_status status = object_init(&o, s->changed, s->byte_count, &diag);
    if (status == MF_OK)
        must(object_cover_init(&c, &o), &diag);
    if (status == MF_OK)
        judge(s, f, &o, &c);
    else
        s->refused++;
    object_cover_fini(&c);
    object_fini(&o);
    s->changed[f.at] = (char)(s->changed[f.at] ^ f.by);
}

/* ---- Campaigns ---- */

/* Half of them in the code, the rest anywhere. */
static flip choose_flip(const subject *s, random_source *random) {
    const Elf64_Shdr *text = &s->right.file.sections[s->right.sections[OBJECT_TEXT]];
    uint64_t bits = random_u64(random);
    bool is_in_code = (bits & 1) != 0;
    uint64_t at = random_below(random, is_in_code ? text->sh_size : s->byte_count);
    unsigned char by = (bits & 2) != 0 ? (unsigned char)(1U << (bits >> 8 & 7)) : (unsigned char)(bits >> 8);
    return (flip){at + (is_in_code ? text->sh_offset : 0), by == 0 ? 0x80 : by};
}

static void try_some(subject *s, random_source *random, unsigned count) {
    for (unsigned i = 0; i < count; i++)
        try_flip(s, choose_flip(s, random));
}

/* Every so many bytes, from one of them on. */
typedef struct share {
    size_t first;
    size_t step;
} share;

/* PART/PARTS, counted from 1; NULL: all. */
static share read_share(const char *text) {
    char *end;
    if (text == NULL)
        return (share){0, 1};
    size_t part = strtoul(text, &end, 10);
    size_t parts = *end == '/' ? strtoul(end + 1, NULL, 10) : 0;
    if (part < 1 || part > parts) {
        printf("%s is no part such as 3/8\n", text);
        exit(1);
    }
    return (share){part - 1, parts};
}

static void try_all(subject *s, share share) {
    for (size_t at = share.first; at < s->byte_count; at += share.step) {
        for (unsigned bit = 0; bit < 8; bit++)
            try_flip(s, (flip){at, (unsigned char)(1U << bit)});
        if (at / share.step % 100 == 0)
            fprintf(stderr, "%s: %zu of %zu bytes\n", s->kind->name, at, s->byte_count);
    }
}

static unsigned count_of(const subject *s) {
    return s->refused + s->refuted + s->not_proved + s->not_covered + s->proved;
}

static void print_counts(const subject *s) {
    printf("%s: %u flips: %u refused, %u refuted, of which %u ran wrong, %u did not show and %u are of "
           "mispredictions, %u not proved, %u not covered, %u proved, of which %u change nothing that is "
           "loaded\n",
           s->kind->name, count_of(s), s->refused, s->refuted, s->run, s->unseen, s->speculative,
           s->not_proved, s->not_covered, s->proved, s->same);
    fflush(stdout);
}

int main(int argc, char **argv) {
    const char *asked = getenv("MEMFOLD_TEST_FLIPS");
    bool is_all = asked != NULL && strcmp(asked, "all") == 0;
    unsigned count = asked == NULL || is_all ? 500 : (unsigned)strtoul(asked, NULL, 10);
    const char *seed = getenv("MEMFOLD_TEST_SEED");
    share share = read_share(getenv("MEMFOLD_TEST_PART"));
    random_source random = {seed == NULL ? 1 : strtoull(seed, NULL, 10)};
    unsigned done = 0;
    unsigned refuted = 0;
    unsigned unseen = 0;
    object_path = argv[argc - 1];
    size_t entry_count;
    mf_runtime_symbols(&entry_count); /* so that the objects' entry points are in this program */
    for (unsigned i = 0; i < KIND_COUNT; i++) {
        static subject s;
        subject_init(&s, &KINDS[i]);
        if (is_all)
            try_all(&s, share);
        else
            try_some(&s, &random, count * (i + 1) / KIND_COUNT - count * i / KIND_COUNT);
        print_counts(&s);
        done += count_of(&s);
        refuted += s.refuted - s.speculative;
        unseen += s.unseen;
        subject_fini(&s);
    }
    if (wrong == 0 && 20 * unseen <= refuted)
        printf("%u flips, none is proved and wrong, most of the refuted ran wrong\n", done);
    return wrong != 0;
}
