/*
 * Accessors of stencils and of LLVM are proved for layouts with edges, on both backends, under options that
 * together change all code. Three accessors of each set are, in turn, and LLVM's of every second one. All
 * shapes are proved by shapes_*.test, on layouts of a few windows.
 *
 * RUN: %cc -D_GNU_SOURCE -I%source/gen -I%S/lib %s -o %t %verify %gen && %t | FileCheck %s
 *
 * CHECK: empty: {{[0-9]+}} proved
 * CHECK-NEXT: page-0: {{[0-9]+}} proved
 * CHECK-NEXT: top: {{[0-9]+}} proved
 * CHECK-NEXT: whole: {{[0-9]+}} proved
 * CHECK-NEXT: neighbours: {{[0-9]+}} proved
 * CHECK-NEXT: three: {{[0-9]+}} proved
 * CHECK-NEXT: heap: {{[0-9]+}} proved
 * CHECK-NEXT: heap-behind: {{[0-9]+}} proved
 * CHECK-NEXT: heap-below: {{[0-9]+}} proved
 * CHECK-NEXT: heap-touches: {{[0-9]+}} proved
 * CHECK-NEXT: heap-to-the-top: {{[0-9]+}} proved
 * CHECK-NEXT: from-2^31: {{[0-9]+}} proved
 * CHECK-NEXT: from-behind-2^31: {{[0-9]+}} proved
 * CHECK-NEXT: over-2^31: {{[0-9]+}} proved
 * CHECK-NEXT: over-more: {{[0-9]+}} proved
 * CHECK-NEXT: sixteen: {{[0-9]+}} proved
 * CHECK-NEXT: sixteen-and-heap: {{[0-9]+}} proved
 * CHECK-NEXT: 300: {{[0-9]+}} proved
 * CHECK-NEXT: 4096: {{[0-9]+}} proved
 * CHECK-NEXT: all of 11 accessors
 */
#include "verify/code.h"

#include "scenes.h"

#include <memfold/llvm_maker.h>

#include <string.h>

/* Those about 2^31 have numbers at the ends of what an immediate holds, and behind them. */
static const scene SCENES[] = {
    {.name = "empty"},
    {.name = "page-0", .regions = {{0, 0x1000, MF_READ_WRITE}}},
    {.name = "top", .regions = {{0x8000, 0x2000, MF_READ_ONLY}, {0xfffff000, 0x1000, MF_READ_WRITE}}},
    {.name = "whole", .regions = {{0, UINT64_C(1) << 32, MF_READ_WRITE}}},
    {.name = "neighbours",
     .regions = {{0x10000, 0x3000, MF_READ_ONLY},
                 {0x13000, 0x2000, MF_READ_WRITE},
                 {0x15000, 0x1000, MF_READ_ONLY}}},
    {.name = "three",
     .regions = {{0x20000, 0x10000, MF_READ_WRITE},
                 {0x90000, 0x8000, MF_READ_ONLY},
                 {0xfefd0000, 0x10000, MF_READ_WRITE}}},
    {.name = "heap", .heap_base = 0x10000, .heap_pages = 16},
    {.name = "heap-behind",
     .regions = {{0x10000, 0x4000, MF_READ_ONLY},
                 {0x20000, 0x8000, MF_READ_WRITE},
                 {0xfefd0000, 0x10000, MF_READ_WRITE}},
     .heap_base = 0x28000,
     .heap_pages = 256},
    {.name = "heap-below",
     .regions = {{0x90000, 0x8000, MF_READ_ONLY}},
     .heap_base = 0x10000,
     .heap_pages = 16},
    {.name = "heap-touches",
     .regions = {{0x10000, 0x1000, MF_READ_WRITE}, {0x20000, 0x1000, MF_READ_WRITE}},
     .heap_base = 0x11000,
     .heap_pages = 15},
    {.name = "heap-to-the-top",
     .regions = {{0x10000, 0x1000, MF_READ_WRITE}},
     .heap_base = 0xffff0000,
     .heap_pages = 16},
    {.name = "from-2^31", .regions = {{0x80000000, 0x1000, MF_READ_WRITE}}},
    {.name = "from-behind-2^31", .regions = {{0x80001000, 0x1000, MF_READ_WRITE}}},
    {.name = "over-2^31", .regions = {{0x1000, 0x1000, MF_READ_WRITE}, {0x80000000, 0x1000, MF_READ_WRITE}}},
    {.name = "over-more", .regions = {{0x1000, 0x1000, MF_READ_WRITE}, {0x80001000, 0x1000, MF_READ_WRITE}}},
    {.name = "sixteen",
     .regions = {{0x10000, 0x10000, MF_READ_WRITE},
                 {0x10000, 0x10000, MF_READ_WRITE},
                 {0x10000, 0x10000, MF_READ_ONLY}},
     .count = 16,
     .distance = 0x30000},
    {.name = "sixteen-and-heap",
     .regions = {{0x10000, 0x10000, MF_READ_WRITE},
                 {0x10000, 0x10000, MF_READ_WRITE},
                 {0x10000, 0x10000, MF_READ_ONLY}},
     .count = 16,
     .distance = 0x30000,
     .heap_base = 0x80000000,
     .heap_pages = 64},
    {.name = "300",
     .regions = {{0x1000, 0x1000, MF_READ_WRITE},
                 {0x1000, 0x1000, MF_READ_ONLY},
                 {0x1000, 0x1000, MF_READ_WRITE}},
     .count = 300,
     .distance = 0x3000},
    {.name = "4096",
     .regions = {{0x8000, 0x4000, MF_READ_WRITE},
                 {0x8000, 0x4000, MF_READ_ONLY},
                 {0x8000, 0x4000, MF_READ_WRITE}},
     .count = 4096,
     .distance = 0x10000}};

/* Each line is another way; what a layout has no plan for is left out. */
static const mf_accessor_options OPTIONS[] = {
    {0},
    {.spectre = MF_SPECTRE_MASK, .base = MF_BASE_ARGUMENT},
    {.index = MF_INDEX_U33, .on_fault = MF_ON_FAULT_TRAP, .endian = MF_BIG_ENDIAN, .stale = MF_STALE_CHECK},
    {.strategy = MF_STRATEGY_PERM_TABLE, .index = MF_INDEX_U33, .stale = MF_STALE_CHECK},
    {.strategy = MF_STRATEGY_PERM_TABLE, .spectre = MF_SPECTRE_MASK, .endian = MF_BIG_ENDIAN},
    {.strategy = MF_STRATEGY_GRANULE_TABLE, .base = MF_BASE_ARGUMENT, .on_fault = MF_ON_FAULT_TRAP},
    {.strategy = MF_STRATEGY_GRANULE_TABLE, .spectre = MF_SPECTRE_MASK, .index = MF_INDEX_U33},
    {.strategy = MF_STRATEGY_GRANULE_BITMAP, .base = MF_BASE_CONSTANT, .base_address = 0x123456789000},
    {.strategy = MF_STRATEGY_GRANULE_BITMAP, .spectre = MF_SPECTRE_MASK, .stale = MF_STALE_CHECK},
    {.strategy = MF_STRATEGY_IMMEDIATE_BITMAP, .endian = MF_BIG_ENDIAN, .base = MF_BASE_ARGUMENT},
    {.strategy = MF_STRATEGY_IMMEDIATE_BITMAP, .spectre = MF_SPECTRE_MASK, .index = MF_INDEX_U33},
    {.strategy = MF_STRATEGY_FEW_WINDOWS, .spectre = MF_SPECTRE_MASK, .base = MF_BASE_CONSTANT},
    {.strategy = MF_STRATEGY_IN_TURN, .on_fault = MF_ON_FAULT_TRAP},
    {.hot_address = 0x10000, .hot_percent = 90, .stale = MF_STALE_CHECK},
    {.hot_address = 0x10000, .hot_percent = 90, .strategy = MF_STRATEGY_PERM_TABLE, .stale = MF_STALE_CHECK},
    {.hot_address = 0x10000,
     .hot_percent = 90,
     .strategy = MF_STRATEGY_GRANULE_BITMAP,
     .index = MF_INDEX_U33},
    {.policy = MF_POLICY_BOUNDS, .spectre = MF_SPECTRE_MASK, .stale = MF_STALE_CHECK},
    {.policy = MF_POLICY_BOUNDS, .index = MF_INDEX_U33, .on_fault = MF_ON_FAULT_TRAP},
    {.policy = MF_POLICY_NONE, .endian = MF_BIG_ENDIAN, .stale = MF_STALE_CHECK},
    {.backend = MF_BACKEND_X86_PAGED},
    {.backend = MF_BACKEND_X86_PAGED, .base = MF_BASE_CONSTANT, .endian = MF_BIG_ENDIAN},
    {.backend = MF_BACKEND_X86_PAGED,
     .index = MF_INDEX_U33,
     .base = MF_BASE_CONSTANT,
     .base_address = 0x123456789000,
     .stale = MF_STALE_CHECK},
    {.backend = MF_BACKEND_X86_PAGED, .on_fault = MF_ON_FAULT_TRAP, .stale = MF_STALE_CHECK},
    {.backend = MF_BACKEND_X86_PAGED, .on_fault = MF_ON_FAULT_TRAP, .base = MF_BASE_CONSTANT},
    {.backend = MF_BACKEND_X86_PAGED,
     .on_fault = MF_ON_FAULT_TRAP,
     .order = MF_ORDER_GUEST,
     .endian = MF_BIG_ENDIAN,
     .base = MF_BASE_ARGUMENT},
    {.backend = MF_BACKEND_X86_PAGED, .policy = MF_POLICY_NONE, .index = MF_INDEX_U33}};

#define OPTION_COUNT (sizeof OPTIONS / sizeof OPTIONS[0])

/* What is the same machine code is proved by a build without sanitizers; here every third way is enough. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define WAYS 3
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define WAYS 3
#endif
#endif
#ifndef WAYS
#define WAYS 1
#endif

static unsigned long accessor_counts[MF_ACCESSOR_COUNT];

/* Two jits: of stencils, and of LLVM. */
static mf_jit *jits[2];

static void create_jits(void) {
    const mf_jit_config by_llvm = {.maker = mf_llvm_maker()};
    scene_must(mf_jit_create(NULL, &jits[0], NULL) == MF_OK, "mf_jit_create");
    scene_must(mf_jit_create(&by_llvm, &jits[1], NULL) == MF_OK, "mf_jit_create");
}

static void fail(const scene *s, size_t way, int maker, const mf_verify_result *result) {
    char text[2048];
    mf_verify_print(result, text, sizeof text);
    printf("%s, options %zu, by %s:\n%s\n", s->name, way, maker == 0 ? "stencils" : "LLVM", text);
    exit(1);
}

#define PROVED_OF_SET 3

/* The code's accessors from the turn's on, every fourth of them. */
static unsigned prove(const scene *s, const mf_layout *layout, size_t way, const mf_accessor_options *options,
                      int maker, const mf_code *code, unsigned turn) {
    verify_prover *prover;
    verify_code machine = {.is_of_process = true, .takes_registered_entries = true};
    verify_code_set_runtime(&machine);
    scene_must(verify_prover_create(layout, options, NULL, &prover, NULL) == MF_OK, "verify_prover_create");
    for (unsigned i = 0; i < PROVED_OF_SET; i++) {
        mf_accessor_id id = (mf_accessor_id)((turn + 4 * i) % MF_ACCESSOR_COUNT);
        mf_verify_result result;
        machine.accessors[id] = (uint64_t)(uintptr_t)mf_accessors_member(mf_code_accessors(code), id);
        scene_must(verify_prover_prove(prover, &machine, id, &result, NULL) == MF_OK, "verify_prover_prove");
        if (result.verdict != MF_VERDICT_PROVED)
            fail(s, way, maker, &result);
        accessor_counts[id]++;
    }
    verify_prover_destroy(prover);
    return PROVED_OF_SET;
}

static unsigned prove_set(const scene *s, const mf_layout *layout, size_t way,
                          const mf_accessor_options *options, unsigned turn) {
    unsigned proved = 0;
    int makers = turn % 2 == 0 ? 2 : 1;
    for (int maker = 0; maker < makers; maker++) {
        mf_code *code;
        mf_diag diag;
        mf_status status = mf_jit_get(jits[maker], layout, options, &code, &diag);
        if (status == MF_INEXACT_STRATEGY)
            return 0;
        scene_must(status == MF_OK, status == MF_OK ? "" : diag.message);
        proved += prove(s, layout, way, options, maker, code, turn + (unsigned)maker);
        mf_code_release(code);
    }
    return proved;
}

static unsigned prove_scene(const scene *s, unsigned *turn) {
    mf_layout *layout = scene_layout(s);
    unsigned proved = 0;
    for (size_t way = (size_t)(s - SCENES) % WAYS; way < OPTION_COUNT; way += WAYS)
        proved += prove_set(s, layout, way, &OPTIONS[way], (*turn)++);
    mf_layout_release(layout);
    return proved;
}

int main(void) {
    unsigned turn = 0;
    unsigned seen = 0;
    create_jits();
    for (size_t i = 0; i < sizeof SCENES / sizeof SCENES[0]; i++) {
        printf("%s: %u proved\n", SCENES[i].name, prove_scene(&SCENES[i], &turn));
        fflush(stdout);
    }
    for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++)
        seen += accessor_counts[id] > 0;
    printf("all of %u accessors\n", seen);
    mf_jit_destroy(jits[0]);
    mf_jit_destroy(jits[1]);
    return 0;
}
