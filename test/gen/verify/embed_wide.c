// Inlined accesses that no accessor has keep the contract: odd widths, numbers and vectors in vector
// registers of every size, of several instructions where they need them; checked host addresses of every
// width; ranges of every length, compared in the code or by the runtime, whose answer then decides.
//
// RUN: %cc -I%source/gen -I%S/lib -I%source/test/gen/embed/lib -isystem %llvm-include -iquote %source/tools %s %S/lib/embed_sites.c %S/lib/sample_layouts.c %source/test/gen/embed/lib/client.c -o %t %verify %gen && %t | FileCheck %s
//
// CHECK: copy: {{[1-9][0-9][0-9]+}} proved
// CHECK-NEXT: paged: {{[1-9][0-9][0-9]+}} proved
// CHECK-NEXT: addresses: {{[1-9][0-9][0-9]+}} proved
// CHECK-NEXT: ranges: {{[1-9][0-9]+}} proved, {{[1-9][0-9]+}} by the runtime's answer
// CHECK-NEXT: ranges before accesses: {{[1-9][0-9]+}} proved
// CHECK-NEXT: vector registers in an accessor: not proved: an accessor with vector registers
// CHECK-NEXT: two instructions in an accessor: refuted: accesses the guest more than once
// CHECK-NOT: {{.}}
#include "client_type.h"
#include "embed_sites.h"

#include <memfold/plan.h>

#include <stdio.h>
#include <string.h>

/* ---- Types ---- */

/* Not three bytes, of which LLVM makes arithmetic in vector registers, which the model lacks. */
static const type TYPES[] = {
    {INTEGER, 9, 0},   {INTEGER, 12, 0}, {INTEGER, 24, 0},  {INTEGER, 31, 0},  {INTEGER, 40, 0},
    {INTEGER, 48, 0},  {INTEGER, 56, 0}, {INTEGER, 63, 0},  {INTEGER, 65, 0},  {INTEGER, 96, 0},
    {INTEGER, 128, 0}, {HALF, 16, 0},    {FLOAT, 32, 0},    {DOUBLE, 64, 0},   {INTEGER, 8, 2},
    {INTEGER, 16, 2},  {FLOAT, 32, 1},   {INTEGER, 8, 8},   {FLOAT, 32, 2},    {POINTER, 64, 1},
    {INTEGER, 32, 3},  {INTEGER, 8, 16}, {INTEGER, 32, 4},  {INTEGER, 64, 2},  {HALF, 16, 8},
    {FLOAT, 32, 4},    {DOUBLE, 64, 2},  {POINTER, 64, 2},  {INTEGER, 128, 1}, {DOUBLE, 64, 3},
    {FLOAT, 32, 8},    {INTEGER, 64, 4}, {INTEGER, 128, 2}, {INTEGER, 8, 64},  {DOUBLE, 64, 8},
    {INTEGER, 128, 4},
};
#define TYPE_COUNT (sizeof TYPES / sizeof TYPES[0])

static verify_value carrier(const type *t) {
    if (t->element != INTEGER || t->count > 0)
        return VERIFY_VALUE_VECTORS;
    return t->bits <= 64 ? VERIFY_VALUE_WORD : VERIFY_VALUE_TWO_WORDS;
}

/* ---- Proofs ---- */

#define SITES_MAX (2 * TYPE_COUNT)

static uint32_t proved_count;

/* The sites of one module, and their names. */
typedef struct batch {
    embed_session session;
    embed_site sites[SITES_MAX];
    char names[SITES_MAX][64];
    size_t count;
} batch;

static void batch_open(batch *b, sample sample, const mf_accessor_options *options, embed_vectors vectors) {
    b->session = embed_open(sample, options, vectors);
    b->count = 0;
}

static void add(batch *b, embed_site site, const char *what, unsigned number) {
    char *name = b->names[b->count];
    snprintf(name, sizeof b->names[0], "%s_%s_%u", site.operation == MF_LOAD ? "load" : "store", what,
             number);
    site.name = name;
    site.id = MF_ACCESSOR_COUNT;
    b->sites[b->count] = site;
    embed_build(&b->session, &b->sites[b->count++]);
}

static void prove(batch *b, const char *pipeline) {
    embed_session *s = &b->session;
    embed_load(s, pipeline, NULL);
    for (size_t i = 0; i < b->count; i++) {
        mf_verify_result result;
        embed_prove(s, NULL, &b->sites[i], &result, NULL);
        proved_count += result.verdict == MF_VERDICT_PROVED;
        if (result.verdict != MF_VERDICT_PROVED)
            embed_print(s, &b->sites[i], &result);
    }
    embed_close(s);
}

static void print_count(const char *name) {
    printf("%s: %u proved\n", name, proved_count);
    proved_count = 0;
}

/* ---- Types ---- */

static void try_types(sample sample, const mf_accessor_options *options, embed_vectors vectors,
                      uint32_t offset, const char *pipeline) {
    static batch b;
    batch_open(&b, sample, options, vectors);
    for (size_t i = 0; i < TYPE_COUNT; i++)
        for (mf_operation operation = MF_LOAD; operation <= MF_STORE; operation++)
            if (is_served(&TYPES[i], options->endian))
                add(&b,
                    (embed_site){.operation = operation,
                                 .value = carrier(&TYPES[i]),
                                 .t_access = make_type(b.session.module.context, &TYPES[i]),
                                 .offset = offset,
                                 .is_given_state = i % 2 == 1},
                    "type", (unsigned)i);
    prove(&b, pipeline);
}

/* Every size of registers with every way of a fault; strategies and what else there is go round. */
static void try_copy(void) {
    static const mf_strategy STRATEGIES[] = {MF_STRATEGY_AUTO, MF_STRATEGY_PERM_TABLE,
                                             MF_STRATEGY_GRANULE_BITMAP};
    static const uint32_t OFFSETS[] = {0, 5, UINT32_MAX};
    for (uint32_t n = 0; n < 9; n++) {
        const mf_accessor_options options = {.strategy = STRATEGIES[(n + n / 3) % 3],
                                             .on_fault = (mf_on_fault)(n % 3),
                                             .base = (mf_base)(n % 2),
                                             .endian = (mf_endian)(n % 4 == 1),
                                             .spectre = (mf_spectre)(n % 4 == 2)};
        try_types(n % 3 == 0 ? SAMPLE_MIXED : SAMPLE_MANY, &options, (embed_vectors)(n / 3),
                  OFFSETS[n / 2 % 3], n % 4 < 2 ? "default<O2>" : NULL);
    }
}

/* The MMU checks what one instruction accesses, and the rest is checked before; by every kind of base. */
static void try_paged(void) {
    for (uint32_t n = 0; n < 12; n++) {
        const mf_accessor_options options = {
            .backend = MF_BACKEND_X86_PAGED,
            .on_fault = (mf_on_fault)(n % 3),
            .order = (mf_order)(n / 3 % 2),
            .index = (mf_index)(n % 2),
            .base = n < 9 ? (mf_base)(n / 2 % 2) : MF_BASE_CONSTANT,
            .base_address = n == 10 ? UINT64_C(1) << 40 : 0,
        };
        try_types(SAMPLE_MIXED, &options, (embed_vectors)(n / 3 % 3), n % 4 == 3 ? 0xff0 : 0,
                  n % 2 == 0 ? "default<O2>" : NULL);
    }
}

/* ---- Addresses ---- */

static void try_addresses_of(const mf_accessor_options *options, sample sample) {
    static const uint32_t WIDTHS[] = {1, 2, 3, 4, 5, 8, 12, 16, 24, 31, 32, 33, 48, 63, 64};
    static batch b;
    batch_open(&b, sample, options, EMBED_SSE);
    for (size_t i = 0; i < sizeof WIDTHS / sizeof WIDTHS[0]; i++)
        for (mf_operation operation = MF_LOAD; operation <= MF_STORE; operation++)
            add(&b,
                (embed_site){.operation = operation,
                             .value = VERIFY_VALUE_ADDRESS,
                             .width_bytes = WIDTHS[i],
                             .offset = options->index == MF_INDEX_U32 ? (uint32_t)i % 2 * 7 : 0,
                             .is_given_state = i % 3 == 0},
                "address", WIDTHS[i]);
    prove(&b, options->base == MF_BASE_VIEW ? "default<O2>" : NULL);
}

static void try_addresses(void) {
    for (uint32_t n = 0; n < 18; n++) {
        const mf_accessor_options options = {.strategy =
                                                 n % 4 == 2 ? MF_STRATEGY_PERM_TABLE : MF_STRATEGY_AUTO,
                                             .backend = (mf_backend)(n % 2),
                                             .on_fault = (mf_on_fault)(n / 2 % 3),
                                             .base = (mf_base)(n / 3 % 2),
                                             .index = (mf_index)(n / 6 % 2),
                                             .spectre = (mf_spectre)(n % 6 == 4)};
        try_addresses_of(&options, (sample)(n % SAMPLE_COUNT));
    }
}

/* ---- Ranges ---- */

static bool asks_runtime(sample sample, const mf_accessor_options *options, mf_operation operation) {
    mf_layout *layout = sample_layout(sample);
    mf_plan plan;
    mf_diag diag;
    client_must(mf_plan_make_range(layout, operation, options, &plan, &diag), &diag, "plan");
    mf_layout_release(layout);
    return mf_plan_has_step(&plan, MF_STEP_RANGE_PERMISSION);
}

static void try_ranges(void) {
    static batch b;
    uint32_t asked = 0;
    for (uint32_t n = 0; n < 24 * SAMPLE_COUNT; n++) {
        sample sample = (enum sample)(n / 24);
        const mf_accessor_options options = {.on_fault = (mf_on_fault)(n % 3),
                                             .backend = (mf_backend)(n / 3 % 2),
                                             .empty_range = (mf_empty_range)(n / 6 % 2),
                                             .index = (mf_index)(n / 12 % 2),
                                             .policy = n % 8 == 6 && n % 3 != 2 ? MF_POLICY_BOUNDS
                                                                                : MF_POLICY_PERMS};
        if (options.policy == MF_POLICY_BOUNDS && options.backend == MF_BACKEND_X86_PAGED)
            continue;
        batch_open(&b, sample, &options, EMBED_SSE);
        for (mf_operation operation = MF_LOAD; operation <= MF_STORE; operation++) {
            add(&b,
                (embed_site){.operation = operation,
                             .value = VERIFY_VALUE_LENGTH,
                             .width_bytes = 1,
                             .is_given_state = n % 5 == 0},
                "range", n);
            asked += asks_runtime(sample, &options, operation);
        }
        prove(&b, n % 2 == 0 ? "default<O2>" : NULL);
    }
    printf("ranges: %u proved, %u by the runtime's answer\n", proved_count, asked);
    proved_count = 0;
}

/* A check by the runtime decides about the plain access behind it. */
static void try_ranges_before_accesses(void) {
    static const type WORD = {INTEGER, 32, 0}, VECTOR = {FLOAT, 32, 4};
    static const type *const ACCESSED[] = {&WORD, &VECTOR};
    static batch b;
    for (mf_on_fault on_fault = 0; on_fault <= MF_ON_FAULT_BRANCH; on_fault++) {
        const mf_accessor_options options = {.on_fault = on_fault};
        batch_open(&b, SAMPLE_MANY, &options, EMBED_SSE);
        for (size_t i = 0; i < 2; i++)
            for (mf_operation operation = MF_LOAD; operation <= MF_STORE; operation++)
                add(&b,
                    (embed_site){.operation = operation,
                                 .value = carrier(ACCESSED[i]),
                                 .t_access = make_type(b.session.module.context, ACCESSED[i]),
                                 .is_after_range = true},
                    "range", (unsigned)i);
        prove(&b, on_fault == MF_ON_FAULT_RETURN ? NULL : "default<O2>");
    }
}

/* ---- Accessors ---- */

/* Accessors promise kernels no vector registers, and one instruction. */
static void try_as_accessor(const mf_accessor_options *options, mf_accessor_id id, const type *t,
                            const char *what) {
    embed_session s = embed_open(SAMPLE_WINDOW, options, EMBED_SSE);
    embed_site site = embed_site_of(&s, id);
    mf_verify_result result;
    site.t_access = make_type(s.module.context, t);
    embed_build(&s, &site);
    embed_load(&s, NULL, NULL);
    embed_prove(&s, NULL, &site, &result, NULL);
    const char *why = result.verdict == MF_VERDICT_REFUTED ? result.counterexample.did : result.reason;
    printf("%s in an accessor: %s: %.*s\n", what, mf_verdict_name(result.verdict), (int)strcspn(why, ":("),
           why);
    embed_close(&s);
}

int main(void) {
    static const type NUMBER = {FLOAT, 32, 0}, THREE_BYTES = {INTEGER, 24, 0};
    const mf_accessor_options copy = {0}, paged = {.backend = MF_BACKEND_X86_PAGED};
    client_start();
    try_copy();
    print_count("copy");
    try_paged();
    print_count("paged");
    try_addresses();
    print_count("addresses");
    try_ranges();
    try_ranges_before_accesses();
    print_count("ranges before accesses");
    try_as_accessor(&paged, MF_LOAD_U32, &NUMBER, "vector registers");
    try_as_accessor(&copy, MF_LOAD_U32, &THREE_BYTES, "two instructions");
    client_stop();
    return 0;
}
