// Equal layouts and options get the same code, every option gets code of its own, and a refused request gets
// none.
//
// RUN: %cc %jit %s -o %t %gen
// RUN: %t | FileCheck %s
//
// By stencils:
// RUN: %cc %jit %by-stencils %s -o %t.stencil %gen
// RUN: %t.stencil | FileCheck %s
//
// CHECK: the same request gives the same code
// CHECK-NEXT: every option gives code of its own
// CHECK-NEXT: a refused request gives no code
#include "jit_support.h"

/* Equal content is enough: neither the same layout object nor the same options object is needed. */
static void test_same_request(mf_jit *jit) {
    mf_layout *first = make_layout(REGION_START);
    mf_layout *second = make_layout(REGION_START);
    mf_memory *memory = make_memory(REGION_START);
    const mf_accessor_options defaults = {0};
    mf_diag diag;
    mf_code *a = get_code(jit, first, NULL);
    mf_code *b = get_code(jit, second, &defaults);
    mf_code *c;
    must(mf_jit_get_for(jit, memory, NULL, &c, &diag), &diag);
    require(a == b && b == c && mf_code_retain(a) == a, "three requests, one code");
    require(mf_layout_equal(mf_code_layout(a), second), "the layout of the code");
    mf_code_release(a);
    mf_code_release(a);
    mf_code_release(b);
    require(mf_code_accessors(c)->load_u8(mf_memory_view(memory), REGION_START).status == 0,
            "the last reference keeps the code");
    mf_code_release(c);
    mf_memory_destroy(memory);
    mf_layout_release(first);
    mf_layout_release(second);
    printf("the same request gives the same code\n");
}

static void test_options(mf_jit *jit) {
    const mf_accessor_options all[] = {
        {0},
        {.policy = MF_POLICY_BOUNDS},
        {.policy = MF_POLICY_NONE},
        {.endian = MF_BIG_ENDIAN},
        {.on_fault = MF_ON_FAULT_TRAP},
        {.base = MF_BASE_ARGUMENT},
        {.base = MF_BASE_CONSTANT},
        {.base = MF_BASE_CONSTANT, .base_address = 0x10000},
        {.index = MF_INDEX_U33},
        {.spectre = MF_SPECTRE_MASK},
        {.strategy = MF_STRATEGY_PERM_TABLE},
        {.strategy = MF_STRATEGY_TWO_WINDOWS},
        {.strategy = MF_STRATEGY_IMMEDIATE_BITMAP},
        {.strategy = MF_STRATEGY_GRANULE_BITMAP},
        {.strategy = MF_STRATEGY_PERM_TABLE, .hot_address = REGION_START, .hot_percent = 99},
        {.strategy = MF_STRATEGY_PERM_TABLE, .hot_address = REGION_START, .hot_percent = 100},
    };
    enum { COUNT = sizeof all / sizeof all[0] };
    mf_code *codes[COUNT];
    mf_layout *layout = make_layout(REGION_START);
    for (size_t i = 0; i < COUNT; i++) {
        codes[i] = get_code(jit, layout, &all[i]);
        for (size_t k = 0; k < i; k++)
            for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++)
                require(place_of(codes[i], id) != place_of(codes[k], id),
                        "two sets of options, one function");
    }
    for (size_t i = 0; i < COUNT; i++)
        mf_code_release(codes[i]);
    mf_layout_release(layout);
    printf("every option gives code of its own\n");
}

static void test_refusal(mf_jit *jit) {
    mf_layout *layout = make_layout(REGION_START);
    const mf_accessor_options inexact = {.strategy = MF_STRATEGY_HEAP};
    const mf_accessor_options invalid = {.base_address = 1};
    mf_code *const untouched = (mf_code *)layout;
    mf_code *code = untouched;
    mf_diag diag;
    for (int i = 0; i < 2; i++) {
        require(mf_jit_get(jit, layout, &inexact, &code, &diag) == MF_INEXACT_STRATEGY, "inexact strategy");
        require(diag.status == MF_INEXACT_STRATEGY && diag.message[0] != '\0', "the diagnostic says so");
        require(mf_jit_get(jit, layout, &invalid, &code, NULL) == MF_INVALID_ARGUMENT, "invalid options");
    }
    require(code == untouched, "the result is not written");
    mf_layout_release(layout);
    printf("a refused request gives no code\n");
}

int main(void) {
    mf_jit *jit = make_jit(NULL);
    test_same_request(jit);
    test_options(jit);
    test_refusal(jit);
    mf_jit_destroy(jit);
    return 0;
}
