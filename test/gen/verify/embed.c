// Accesses that are embedded in a client's module keep the contract: each is compiled in a function around it
// that has an accessor's ABI, and that is proved. All plans, both backends, all ways of a fault, as emitted
// and optimised; types that are no integers; ranges of a length that only the running code knows.
//
// RUN: %cc -I%source/gen -I%S/lib -I%source/test/gen/embed/lib -isystem %llvm-include -iquote %source/tools %s %S/lib/embed_sites.c %S/lib/sample_layouts.c %source/test/gen/embed/lib/client.c -o %t %verify %gen && %t | FileCheck %s
//
// CHECK: accesses: {{[1-9][0-9][0-9]+}} proved
// CHECK-NEXT: masks: {{[1-9][0-9]+}} proved
// CHECK-NEXT: types: {{[1-9][0-9]+}} proved
// CHECK-NEXT: ranges: {{[1-9][0-9]+}} proved
// CHECK-NEXT: the wrong layout: refuted
#include "embed_sites.h"

#include <memfold/plan.h>

#include <stdio.h>

#define ALL_ACCESSORS ((UINT32_C(1) << MF_ACCESSOR_COUNT) - 1)

static uint32_t proved_count;

/* Proves the access of each accessor as that accessor, of the session's layout (NULL) or another. True if all
 * are. */
static bool prove(const embed_session *s, const mf_layout *layout, const embed_site *sites,
                  uint32_t accessors) {
    bool all = true;
    for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++) {
        mf_verify_result result;
        if ((accessors >> id & 1) == 0)
            continue;
        embed_prove(s, layout, &sites[id], &result, NULL);
        proved_count += result.verdict == MF_VERDICT_PROVED;
        all = all && result.verdict == MF_VERDICT_PROVED;
        if (layout == NULL && result.verdict != MF_VERDICT_PROVED)
            embed_print(s, &sites[id], &result);
    }
    return all;
}

/* The accesses of these accessors in one module. */
static void try_accesses(sample sample, const mf_accessor_options *options, const char *pipeline,
                         uint32_t accessors, bool is_after_range) {
    embed_session s = embed_open(sample, options, EMBED_SSE);
    embed_site sites[MF_ACCESSOR_COUNT];
    for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++) {
        sites[id] = embed_site_of(&s, id);
        sites[id].is_after_range = is_after_range;
        if ((accessors >> id & 1) != 0)
            embed_build(&s, &sites[id]);
    }
    embed_load(&s, pipeline, NULL);
    prove(&s, NULL, sites, accessors);
    embed_close(&s);
}

/* ---- What is tried ---- */

/* The strategies that are exact for all accessors. */
static bool is_exact(sample sample, const mf_accessor_options *options) {
    mf_layout *layout = sample_layout(sample);
    mf_plan plan;
    bool exact = true;
    for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++)
        exact = exact && mf_plan_make(layout, id, options, &plan, NULL) == MF_OK;
    mf_layout_release(layout);
    return exact;
}

/*
 * The prover asks that a lookup stays in its table whatever is predicted, as accessors do. Optimised code for
 * 33-bit indices does so with a mask only (options.h).
 */
static bool leaves_table(const mf_accessor_options *options) {
    bool is_table =
        options->strategy == MF_STRATEGY_GRANULE_TABLE || options->strategy == MF_STRATEGY_GRANULE_BITMAP;
    return is_table && options->index == MF_INDEX_U33 && options->spectre == MF_SPECTRE_NONE;
}

/* Every plan with every way of a fault; what else there is goes round with them. */
static void try_copy(void) {
    uint32_t n = 0;
    for (sample sample = 0; sample < SAMPLE_COUNT; sample++)
        for (mf_strategy strategy = 0; strategy <= MF_STRATEGY_PERM_TABLE; strategy++)
            for (mf_on_fault on_fault = 0; on_fault <= MF_ON_FAULT_BRANCH; on_fault++) {
                mf_accessor_options options = {.strategy = strategy,
                                               .on_fault = on_fault,
                                               .base = (mf_base)(n % 2),
                                               .index = (mf_index)(n / 2 % 2),
                                               .endian = (mf_endian)(n / 4 % 2),
                                               .spectre = (mf_spectre)(n / 3 % 2)};
                if (!is_exact(sample, &options))
                    continue;
                bool is_optimised = n % 3 == 0 && !leaves_table(&options);
                try_accesses(sample, &options, is_optimised ? "default<O2>" : NULL, ALL_ACCESSORS, false);
                n++;
            }
}

/* What LLVM's passes might make of a mask. */
static void try_masks(void) {
    for (mf_strategy strategy = 0; strategy <= MF_STRATEGY_PERM_TABLE; strategy++)
        for (mf_index index = 0; index <= MF_INDEX_U33; index++) {
            const mf_accessor_options options = {
                .strategy = strategy, .index = index, .spectre = MF_SPECTRE_MASK};
            if (is_exact(SAMPLE_MANY, &options))
                try_accesses(SAMPLE_MANY, &options, "default<O2>", ALL_ACCESSORS, false);
        }
}

static void try_paged(void) {
    for (uint32_t n = 0; n < 24; n += 1 + n % 2) {
        const mf_accessor_options options = {.backend = MF_BACKEND_X86_PAGED,
                                             .on_fault = (mf_on_fault)(n % 3),
                                             .order = (mf_order)(n / 3 % 2),
                                             .index = (mf_index)(n / 6 % 2),
                                             .endian = (mf_endian)(n / 12),
                                             .base = (mf_base)(n / 3 % 2)};
        try_accesses(SAMPLE_MIXED, &options, n % 5 == 0 ? "default<O2>" : NULL, ALL_ACCESSORS, false);
    }
}

/* Types with the width of an accessor. */
static void try_type(const mf_accessor_options *options, mf_accessor_id load, mf_accessor_id store,
                     LLVMTypeRef (*type)(LLVMContextRef)) {
    embed_session s = embed_open(SAMPLE_MIXED, options, EMBED_SSE);
    embed_site sites[MF_ACCESSOR_COUNT];
    const mf_accessor_id ids[] = {load, store};
    for (size_t i = 0; i < 2; i++) {
        sites[ids[i]] = embed_site_of(&s, ids[i]);
        sites[ids[i]].t_access = type(s.module.context);
        embed_build(&s, &sites[ids[i]]);
    }
    embed_load(&s, "default<O2>", NULL);
    prove(&s, NULL, sites, UINT32_C(1) << load | UINT32_C(1) << store);
    embed_close(&s);
}

static LLVMTypeRef pointer_type(LLVMContextRef context) {
    return LLVMPointerTypeInContext(context, 0);
}

static LLVMTypeRef one_word_type(LLVMContextRef context) {
    return LLVMVectorType(LLVMInt32TypeInContext(context), 1);
}

static void try_types(void) {
    for (mf_endian endian = 0; endian <= MF_BIG_ENDIAN; endian++)
        for (mf_on_fault on_fault = 0; on_fault <= MF_ON_FAULT_BRANCH; on_fault++) {
            const mf_accessor_options options = {.endian = endian, .on_fault = on_fault};
            try_type(&options, MF_LOAD_U16, MF_STORE_U16, LLVMHalfTypeInContext);
            try_type(&options, MF_LOAD_U32, MF_STORE_U32, LLVMFloatTypeInContext);
            try_type(&options, MF_LOAD_U64, MF_STORE_U64, LLVMDoubleTypeInContext);
            try_type(&options, MF_LOAD_U64, MF_STORE_U64, pointer_type);
            if (endian == MF_LITTLE_ENDIAN)
                try_type(&options, MF_LOAD_U32, MF_STORE_U32, one_word_type);
        }
}

/* True if the range is compared in the code: no accessor asks the runtime, as other plans of ranges do. */
static bool is_compared(sample sample, const mf_accessor_options *options, mf_operation operation) {
    mf_layout *layout = sample_layout(sample);
    mf_plan plan;
    mf_diag diag;
    client_must(mf_plan_make_range(layout, operation, options, &plan, &diag), &diag, "plan");
    mf_layout_release(layout);
    return !mf_plan_has_step(&plan, MF_STEP_RANGE_PERMISSION);
}

static void try_ranges(void) {
    for (uint32_t n = 0; n < 3 * SAMPLE_COUNT; n++) {
        const mf_accessor_options options = {.on_fault = (mf_on_fault)(n % 2),
                                             .empty_range = (mf_empty_range)(n / 2 % 2)};
        sample sample = (enum sample)(n % SAMPLE_COUNT);
        uint32_t accessors = 0;
        for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++)
            if (is_compared(sample, &options, mf_accessor_info_get(id)->operation))
                accessors |= UINT32_C(1) << id;
        if (accessors != 0)
            try_accesses(sample, &options, n % 3 == 0 ? "default<O2>" : NULL, accessors, true);
    }
}

/* The same code is not proved for another layout. */
static void try_wrong_layout(void) {
    const mf_accessor_options options = {0};
    embed_session s = embed_open(SAMPLE_WINDOW, &options, EMBED_SSE);
    embed_site sites[MF_ACCESSOR_COUNT];
    mf_layout *other = sample_layout(SAMPLE_LOW);
    sites[MF_LOAD_U32] = embed_site_of(&s, MF_LOAD_U32);
    embed_build(&s, &sites[MF_LOAD_U32]);
    embed_load(&s, NULL, NULL);
    bool is_proved = prove(&s, other, sites, 1 << MF_LOAD_U32);
    printf("the wrong layout: %s\n", is_proved ? "proved" : "refuted");
    mf_layout_release(other);
    embed_close(&s);
}

static void print_count(const char *name) {
    printf("%s: %u proved\n", name, proved_count);
    proved_count = 0;
}

int main(void) {
    client_start();
    try_copy();
    try_paged();
    print_count("accesses");
    try_masks();
    print_count("masks");
    try_types();
    print_count("types");
    try_ranges();
    print_count("ranges");
    try_wrong_layout();
    client_stop();
    return 0;
}
