// Inlined accesses that are wrong in one way are refuted, and the counterexample is one: called with it, the
// function does something else than the reference. Each is a change of what the embed emitter has written;
// without it the same code is proved.
//
// RUN: %cc -I%source/gen -I%S/lib -I%source/test/gen/embed/lib -isystem %llvm-include -iquote %source/tools %s %S/lib/embed_run.c %S/lib/embed_sites.c %S/lib/sample_layouts.c %source/test/gen/embed/lib/client.c %source/test/lib/reference.c -o %t %verify %gen && %t | FileCheck %s
//
// What destroys its process on purpose ends otherwise under a sanitizer.
//
// UNSUPPORTED: sanitizer
//
// CHECK: vector, limit for one byte: refuted, seen
// CHECK: vector, upper half dropped: refuted, seen
// CHECK: vector, another field than the base: refuted, seen
// CHECK: vector, the next byte: refuted, seen
// CHECK: vector, accessed twice: refuted, not seen
// CHECK: vector, no cold call: refuted, seen
// CHECK: vector, no mask: refuted, not seen
// CHECK: paged vector, entry one byte off: refuted, seen
// CHECK: 24 bits, a byte more is stored: refuted, seen
// CHECK: 128 bits, halves exchanged: refuted, seen
// CHECK: address, the next byte: refuted, seen
// CHECK: asked range, answer inverted: refuted, seen
// CHECK: asked range, another operation: refuted, seen
// CHECK: {{^(3[0-9]|4[0-9])}} mutants, 0 not as they should be
#include "embed_run.h"

#include <stdio.h>
#include <string.h>

/* ---- Sites ---- */

typedef enum element { INTEGER, FLOAT, NONE } element;

typedef struct kind {
    mf_operation operation;
    verify_value value;
    element element;
    unsigned bits; /* of an element; of an address 8 for each byte */
    unsigned count;
    bool is_after_range;
} kind;

#define VECTOR {MF_LOAD, VERIFY_VALUE_VECTORS, FLOAT, 32, 4, false}
#define VECTOR_STORE {MF_STORE, VERIFY_VALUE_VECTORS, FLOAT, 32, 4, false}
#define BITS(n) {MF_LOAD, VERIFY_VALUE_WORD, INTEGER, n, 0, false}
#define BITS_STORE(n) {MF_STORE, VERIFY_VALUE_WORD, INTEGER, n, 0, false}
#define TWO_WORDS {MF_LOAD, VERIFY_VALUE_TWO_WORDS, INTEGER, 128, 0, false}
#define ADDRESS {MF_LOAD, VERIFY_VALUE_ADDRESS, NONE, 192, 0, false}
#define RANGE {MF_STORE, VERIFY_VALUE_LENGTH, NONE, 8, 0, false}
#define BEHIND_RANGE {MF_LOAD, VERIFY_VALUE_WORD, INTEGER, 32, 0, true}

typedef struct mutant {
    const char *name;
    kind kind;
    sample sample;
    mf_accessor_options options;
    embed_change change;
    bool is_unseen; /* a call with the counterexample does not show what is wrong */
} mutant;

#define PAGED {.backend = MF_BACKEND_X86_PAGED}
#define BIG {.endian = MF_BIG_ENDIAN}
#define BRANCH {.on_fault = MF_ON_FAULT_BRANCH}
#define MASK {.spectre = MF_SPECTRE_MASK}
#define LOADS "%raw = load <4 x float>, ptr %host, align 1"
#define HOST "%host = getelementptr i8, ptr %base, i64 %index"
#define NEXT_HOST                                                                                            \
    "%here = getelementptr i8, ptr %base, i64 %index\n %host = getelementptr i8, ptr %here, i64 1"
#define PAGED_FAULT(access)                                                                                  \
    "call preserve_mostcc range(i32 1, 3) i32 @mf_rt_fault_v3(ptr %0, i64 %index1, " access ", i64 0)"
#define FAULT(access)                                                                                        \
    "call preserve_mostcc range(i32 1, 3) i32 @mf_rt_fault_v3(ptr %0, i64 %index, " access ", i64 0)"
#define ASKS "%accessible = call i32 @mf_rt_accessible_v3(ptr %0, i64 %index, i64 %access)"

/* ---- Mutants ---- */

/* What is behind a changed instruction on its line becomes a comment. */
static const mutant MUTANTS[] = {
    {"vector, limit for one byte", VECTOR, SAMPLE_WINDOW, {0}, {"32752", "32767"}, false},
    {"vector, limit one too high", VECTOR, SAMPLE_WINDOW, {0}, {"32752", "32753"}, false},
    {"vector, limit one too low", VECTOR, SAMPLE_WINDOW, {0}, {"32752", "32751"}, false},
    {"vector, start of another window", VECTOR, SAMPLE_WINDOW, {0}, {"%index, 131072", "%index, 0"}, false},
    {"vector, upper half dropped",
     VECTOR,
     SAMPLE_WINDOW,
     {0},
     {LOADS,
      "%all = load <4 x float>, ptr %host, align 1\n %raw = shufflevector <4 x float> %all, <4 x float> "
      "zeroinitializer, <4 x i32> <i32 0, i32 1, i32 6, i32 7> ;"},
     false},
    {"vector, lower half twice",
     VECTOR,
     SAMPLE_WINDOW,
     {0},
     {LOADS,
      "%all = load <4 x float>, ptr %host, align 1\n %raw = shufflevector <4 x float> %all, <4 x float> "
      "poison, <4 x i32> <i32 0, i32 1, i32 0, i32 1> ;"},
     false},
    {"vector, half of it accessed",
     VECTOR,
     SAMPLE_WINDOW,
     {0},
     {LOADS,
      "%half = load <2 x float>, ptr %host, align 1\n %raw = shufflevector <2 x float> %half, <2 x float> "
      "zeroinitializer, <4 x i32> <i32 0, i32 1, i32 2, i32 3> ;"},
     false},
    {"vector, another field than the base",
     VECTOR,
     SAMPLE_WINDOW,
     {0},
     {"ptr %0, i32 0, i32 0", "ptr %0, i32 0, i32 2"},
     false},
    {"vector, the next byte", VECTOR, SAMPLE_WINDOW, {0}, {HOST, NEXT_HOST}, false},
    {"vector, accessed twice",
     VECTOR,
     SAMPLE_WINDOW,
     {0},
     {LOADS,
      "%once = load volatile <4 x float>, ptr %host, align 1\n %raw = load volatile <4 x float>, ptr %host, "
      "align 1"},
     true},
    {"vector, sign-extended index", VECTOR, SAMPLE_WINDOW, {0}, {"zext i32 %1", "sext i32 %1"}, false},
    {"vector, no cold call", VECTOR, SAMPLE_WINDOW, {0}, {FAULT("i64 32"), "add i32 1, 0"}, false},
    {"vector, another length reported",
     VECTOR,
     SAMPLE_WINDOW,
     {0},
     {"i64 32, i64 0", "i64 16, i64 0"},
     false},
    {"vector, another operation reported",
     VECTOR,
     SAMPLE_WINDOW,
     {0},
     {"i64 32, i64 0", "i64 33, i64 0"},
     false},
    {"vector, good edge at a fault",
     VECTOR,
     SAMPLE_WINDOW,
     BRANCH,
     {"label %access, label %client", "label %access, label %access"},
     false},
    {"vector, edges exchanged",
     VECTOR,
     SAMPLE_WINDOW,
     BRANCH,
     {"label %access, label %client", "label %client, label %access"},
     false},
    {"vector, no mask", VECTOR, SAMPLE_WINDOW, MASK, {"i64 %index.masked", "i64 %index"}, true},
    {"vector store, half of it",
     VECTOR_STORE,
     SAMPLE_WINDOW,
     {0},
     {"store <4 x float> %3, ptr %host, align 1", "%half = shufflevector <4 x float> %3, <4 x float> poison, "
                                                  "<2 x i32> <i32 0, i32 1>\n store <2 x float> %half, "
                                                  "ptr %host, align 1 ;"},
     false},
    {"vector store, halves exchanged",
     VECTOR_STORE,
     SAMPLE_WINDOW,
     {0},
     {"store <4 x float> %3, ptr %host, align 1", "%turned = shufflevector <4 x float> %3, <4 x float> "
                                                  "poison, <4 x i32> <i32 2, i32 3, i32 0, i32 1>\n store <4 "
                                                  "x float> %turned, ptr %host, align 1 ;"},
     false},
    {"vector store before the check, and beside",
     VECTOR_STORE,
     SAMPLE_WINDOW,
     {0},
     {"%offset = sub i64",
      "%next = add i64 %index, 4\n %early = getelementptr i8, ptr %base, i64 %next\n store <4 x float> %3, "
      "ptr %early, align 1\n %offset = sub i64"},
     false},
    {"paged vector, entry one byte off", VECTOR, SAMPLE_WINDOW, PAGED, {"1b - .", "1b + 1 - ."}, false},
    {"paged vector, half of it", VECTOR, SAMPLE_WINDOW, PAGED, {"1: movups", "1: movlps"}, true},
    {"paged vector, no cold call",
     VECTOR,
     SAMPLE_WINDOW,
     PAGED,
     {PAGED_FAULT("i64 32"), "add i32 1, 0"},
     false},
    {"paged vector store, a word of it", VECTOR_STORE, SAMPLE_WINDOW, PAGED, {"1: movups", "1: movss"}, true},
    {"24 bits, a byte more is stored",
     BITS_STORE(24),
     SAMPLE_MANY,
     {0},
     {"store i24 %3, ptr %host, align 1",
      "%wide = sext i24 %3 to i32\n store i32 %wide, ptr %host, align 1 ;"},
     false},
    {"24 bits, the last byte dropped",
     BITS_STORE(24),
     SAMPLE_WINDOW,
     {0},
     {"store i24 %3, ptr %host, align 1",
      "%less = trunc i24 %3 to i16\n store i16 %less, ptr %host, align 1 ;"},
     false},
    {"31 bits, a sign above", BITS_STORE(31), SAMPLE_WINDOW, {0}, {"zext i31", "sext i31"}, false},
    {"40 bits, a word is loaded",
     BITS(40),
     SAMPLE_WINDOW,
     {0},
     {"%raw = load i40, ptr %host, align 1",
      "%wide = load volatile i64, ptr %host, align 1\n %raw = trunc i64 %wide to i40 ;"},
     true},
    {"128 bits, halves exchanged",
     TWO_WORDS,
     SAMPLE_WINDOW,
     {0},
     {"%raw = load i128, ptr %host, align 1",
      "%all = load i128, ptr %host, align 1\n %low = lshr i128 %all, 64\n "
      "%high = shl i128 %all, 64\n %raw = or i128 %low, %high ;"},
     false},
    {"128 bits, not swapped",
     TWO_WORDS,
     SAMPLE_WINDOW,
     BIG,
     {"call i128 @llvm.bswap.i128(i128 %raw)", "add i128 %raw, 0"},
     false},
    {"address, the next byte", ADDRESS, SAMPLE_WINDOW, {0}, {HOST, NEXT_HOST}, false},
    {"address, limit of a word", ADDRESS, SAMPLE_WINDOW, {0}, {"32744", "32760"}, false},
    {"address, first page asked twice", ADDRESS, SAMPLE_MANY, {0}, {"%index, 23", "%index, 0"}, false},
    {"address, no cold call", ADDRESS, SAMPLE_WINDOW, {0}, {FAULT("i64 48"), "add i32 1, 0"}, false},
    {"address, fault edge at an access", ADDRESS, SAMPLE_WINDOW, BRANCH, {"icmp ule", "icmp ugt"}, false},
    {"range, end dropped",
     RANGE,
     SAMPLE_WINDOW,
     {0},
     {"and i1 %begins, %ends", "and i1 %begins, %begins"},
     false},
    {"range, start dropped",
     RANGE,
     SAMPLE_WINDOW,
     {0},
     {"and i1 %begins, %ends", "and i1 %ends, %ends"},
     false},
    {"range, one less",
     RANGE,
     SAMPLE_WINDOW,
     {0},
     {"icmp ule i64 %2, %room", "icmp ult i64 %2, %room"},
     false},
    {"range, empty ones refused",
     RANGE,
     SAMPLE_WINDOW,
     {0},
     {"icmp eq i64 %2, 0", "icmp eq i64 %2, 1"},
     false},
    {"range, length cut", RANGE, SAMPLE_WINDOW, {0}, {"9223372036854775807", "4294967295"}, false},
    {"asked range, answer inverted",
     RANGE,
     SAMPLE_MANY,
     {0},
     {"icmp ne i32 %acc", "icmp eq i32 %acc"},
     false},
    {"asked range, answer ignored",
     RANGE,
     SAMPLE_MANY,
     {0},
     {"icmp ne i32 %acc", "icmp uge i32 %acc"},
     false},
    {"asked range, another operation", RANGE, SAMPLE_MANY, {0}, {"or i64 %3, 1", "or i64 %3, 0"}, false},
    {"asked range, half the length",
     RANGE,
     SAMPLE_MANY,
     {0},
     {"%3 = shl i64 %length.coded, 1", "%3 = and i64 %length.coded, -2"},
     false},
    {"asked range, 64th bit lost", RANGE, SAMPLE_MANY, {0}, {"9223372036854775807", "-1"}, false},
    {"asked range, the next index",
     RANGE,
     SAMPLE_MANY,
     {0},
     {ASKS, "%next = add i64 %index, 1\n %accessible = call i32 @mf_rt_accessible_v3(ptr %0, i64 %next, i64 "
            "%access)"},
     false},
    {"asked range, no cold call", RANGE, SAMPLE_MANY, {0}, {FAULT("i64 %access"), "add i32 1, 0"}, false},
    {"access behind a range of less",
     BEHIND_RANGE,
     SAMPLE_MANY,
     {0},
     {"\"=r,0\"(i64 4)", "\"=r,0\"(i64 3)"},
     false},
};
#define MUTANT_COUNT (sizeof MUTANTS / sizeof MUTANTS[0])

/* ---- Trials ---- */

static LLVMTypeRef make_type(const embed_session *s, const kind *k) {
    LLVMContextRef c = s->module.context;
    LLVMTypeRef t_element =
        k->element == FLOAT ? LLVMFloatTypeInContext(c) : LLVMIntTypeInContext(c, k->bits);
    return k->count == 0 ? t_element : LLVMVectorType(t_element, k->count);
}

/* The site in code that is changed or not, and what is proved of it. */
typedef struct trial {
    embed_session session;
    embed_site site;
    mf_verify_result result;
    verify_state state;
} trial;

static void trial_init(trial *t, const mutant *m, bool is_changed) {
    t->session = embed_open(m->sample, &m->options, EMBED_SSE);
    t->site = (embed_site){.name = is_changed ? "wrong" : "right",
                           .id = MF_ACCESSOR_COUNT,
                           .operation = m->kind.operation,
                           .value = m->kind.value,
                           .width_bytes = m->kind.bits / 8,
                           .is_after_range = m->kind.is_after_range};
    if (m->kind.element != NONE)
        t->site.t_access = make_type(&t->session, &m->kind);
    embed_build(&t->session, &t->site);
    embed_load(&t->session, NULL, is_changed ? &m->change : NULL);
    embed_prove(&t->session, NULL, &t->site, &t->result, &t->state);
}

/* In the state of a counterexample the wrong code does something else than the reference, and the right code
 * does not. */
static bool is_shown(const mutant *m, const trial *wrong, const trial *right) {
    bool asks_runtime =
        m->sample == SAMPLE_MANY && (m->kind.value == VERIFY_VALUE_LENGTH || m->kind.is_after_range);
    const mf_verify_result *refuted = &wrong->result;
    return refuted->verdict == MF_VERDICT_REFUTED && !refuted->counterexample.is_speculative &&
           embed_run_differs(&wrong->session, &wrong->site, refuted, &wrong->state, asks_runtime) &&
           !embed_run_differs(&right->session, &right->site, refuted, &wrong->state, asks_runtime);
}

static bool try_mutant(const mutant *m) {
    static trial right;
    static trial wrong;
    trial_init(&right, m, false);
    trial_init(&wrong, m, true);
    bool is_seen = is_shown(m, &wrong, &right);
    bool is_proved = right.result.verdict == MF_VERDICT_PROVED;
    bool is_refuted = wrong.result.verdict == MF_VERDICT_REFUTED;
    printf("%s: %s, %s%s\n", m->name, mf_verdict_name(wrong.result.verdict), is_seen ? "seen" : "not seen",
           is_proved ? "" : ", and not proved without the change");
    bool is_right = is_proved && is_refuted && is_seen == !m->is_unseen;
    if (!is_right) {
        embed_print(&right.session, &right.site, &right.result);
        embed_print(&wrong.session, &wrong.site, &wrong.result);
    }
    embed_close(&wrong.session);
    embed_close(&right.session);
    return is_right;
}

int main(int argc, char **argv) {
    size_t bad = 0;
    size_t count = 0;
    client_start();
    for (size_t i = 0; i < MUTANT_COUNT; i++) {
        if (argc > 1 && strcmp(argv[1], MUTANTS[i].name) != 0)
            continue;
        bad += !try_mutant(&MUTANTS[i]);
        count++;
    }
    client_stop();
    printf("%zu mutants, %zu not as they should be\n", count, bad);
    return bad != 0;
}
