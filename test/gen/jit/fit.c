// Accessors say which memories they are exact for: the jit refuses the other backend, and mf_accessors_fit
// and mf_accessors_cover agree with what the accessors answer when they are asked, for each change of a
// memory.
//
// RUN: %cc %s -o %t %gen && %t | FileCheck %s --check-prefixes=CHECK,%if debug %{DEBUG%} %else %{RELEASE%}
//
// By stencils:
// RUN: %cc %by-stencils %s -o %t.stencil %gen && %t.stencil | FileCheck %s --check-prefixes=CHECK,%if debug %{DEBUG%} %else %{RELEASE%}
//
// CHECK:      other backend: invalid-argument: accessors for the other backend would not be exact for this memory
// CHECK-NEXT: generic: fits copy, fits paged
// CHECK-NEXT: window: fits its memory 1, after sbrk 1, another 0, after protect 0, after reset 1, paged 0
// CHECK-NEXT: perm-table: fits its memory 1, after sbrk 1, another 1, after protect 1, after reset 1, paged 0
// CHECK-NEXT: bounds: fits its memory 1, after sbrk 1, another 0, after protect 0, after reset 1, paged 0
// RELEASE-NEXT: none: fits its memory 1, after sbrk 1, another 1, after protect 1, after reset 1, paged 0
// DEBUG-NEXT: none: fits its memory 1, after sbrk 1, another 0, after protect 0, after reset 1, paged 0
// CHECK-NEXT: equal plans of other layouts: cover 1, fits 0
// CHECK-NEXT: a strategy that another layout refuses: cover 0
#include "lib/jit_support.h"

#include <memfold/generic.h>
#include <memfold/plan.h>

/* A region and a heap right behind it. */
static mf_layout *heap_layout(uint32_t start, uint32_t heap_pages) {
    mf_layout_builder *builder = mf_layout_builder_create();
    mf_layout *layout;
    mf_diag diag;
    must(mf_layout_builder_map_region(builder, start, REGION_BYTES, MF_READ_WRITE, NULL, 0, &diag), &diag);
    must(mf_layout_builder_set_heap(builder, start + REGION_BYTES, heap_pages, &diag), &diag);
    must(mf_layout_builder_finish(builder, &layout, NULL, &diag), &diag);
    mf_layout_builder_destroy(builder);
    return layout;
}

static mf_memory *memory_of(const mf_layout *layout, mf_backend backend) {
    mf_memory *memory;
    mf_diag diag;
    must(mf_memory_create(layout, NULL, backend, &memory, &diag), &diag);
    return memory;
}

static bool covers(const mf_layout *layout, const mf_accessor_options *options, mf_memory *memory) {
    bool cover = false;
    mf_diag diag;
    must(mf_accessors_cover(layout, options, memory, &cover, &diag), &diag);
    return cover;
}

/* What fits is covered; that other layouts are planned alike only the plans know. */
static int fits(const mf_accessors *set, const mf_layout *layout, const mf_accessor_options *options,
                mf_memory *memory) {
    bool fit = mf_accessors_fit(set, memory);
    require(!fit || covers(layout, options, memory), "what fits is covered");
    return fit;
}

static void refuse_backend(mf_jit *jit, mf_memory *memory) {
    mf_accessor_options options = {.backend = MF_BACKEND_X86_PAGED};
    mf_code *code = NULL;
    mf_diag diag;
    mf_status status = mf_jit_get_for(jit, memory, &options, &code, &diag);
    printf("other backend: %s: %s\n", mf_status_name(status), diag.message);
    require(code == NULL, "no code is written");
}

static void ask(mf_jit *jit, const char *name, mf_accessor_options options) {
    mf_layout *layout = heap_layout(0x10000, 4);
    mf_layout *other_layout = heap_layout(0x40000, 4);
    mf_memory *memory = memory_of(layout, MF_BACKEND_COPY);
    mf_memory *other = memory_of(other_layout, MF_BACKEND_COPY);
    mf_memory *paged = memory_of(layout, MF_BACKEND_X86_PAGED);
    mf_code *code = get_code(jit, layout, &options);
    const mf_accessors *set = mf_code_accessors(code);
    uint64_t top;
    mf_diag diag;
    printf("%s: fits its memory %d", name, fits(set, layout, &options, memory));
    must(mf_memory_sbrk(memory, 1, &top, &diag), &diag);
    printf(", after sbrk %d", fits(set, layout, &options, memory));
    printf(", another %d", fits(set, layout, &options, other));
    must(mf_memory_protect(memory, 0x13000, MF_PAGE_SIZE, MF_PERM_NONE, &diag), &diag);
    printf(", after protect %d", fits(set, layout, &options, memory));
    must(mf_memory_reset(memory, &diag), &diag);
    printf(", after reset %d", fits(set, layout, &options, memory));
    printf(", paged %d\n", fits(set, layout, &options, paged));
    mf_code_release(code);
    mf_memory_destroy(paged);
    mf_memory_destroy(other);
    mf_memory_destroy(memory);
    mf_layout_release(other_layout);
    mf_layout_release(layout);
}

/* A maximum that the address space cuts short: the heaps can grow as far as each other. */
static void ask_equal_plans(mf_jit *jit) {
    mf_accessor_options options = {0};
    mf_layout_builder *builder = mf_layout_builder_create();
    mf_layout *cut;
    mf_diag diag;
    must(mf_layout_builder_map_region(builder, 0x10000, REGION_BYTES, MF_READ_WRITE, NULL, 0, &diag), &diag);
    must(mf_layout_builder_set_heap(builder, 0x10000 + REGION_BYTES, 8, &diag), &diag);
    must(mf_layout_builder_finish(builder, &cut, NULL, &diag), &diag);
    mf_layout_builder_destroy(builder);
    mf_layout *layout = heap_layout(0x10000, 4);
    mf_memory *memory = memory_of(cut, MF_BACKEND_COPY);
    mf_code *code = get_code(jit, layout, &options);
    printf("equal plans of other layouts: cover %d, fits %d\n", covers(layout, &options, memory),
           mf_accessors_fit(mf_code_accessors(code), memory));
    mf_accessor_options window = {.strategy = MF_STRATEGY_WINDOW};
    mf_layout *plain = make_layout(0x10000);
    printf("a strategy that another layout refuses: cover %d\n", covers(plain, &window, memory));
    mf_layout_release(plain);
    mf_code_release(code);
    mf_memory_destroy(memory);
    mf_layout_release(cut);
    mf_layout_release(layout);
}

int main(void) {
    mf_jit *jit = make_jit(NULL);
    mf_memory *memory = make_memory(0x10000);
    mf_layout *layout = make_layout(0x10000);
    mf_memory *paged = memory_of(layout, MF_BACKEND_X86_PAGED);
    refuse_backend(jit, memory);
    printf("generic: %s copy, %s paged\n",
           mf_accessors_fit(mf_generic_accessors(NULL), memory) ? "fits" : "MISSES",
           mf_accessors_fit(mf_generic_accessors(NULL), paged) ? "fits" : "MISSES");
    ask(jit, "window", (mf_accessor_options){0});
    ask(jit, "perm-table", (mf_accessor_options){.strategy = MF_STRATEGY_PERM_TABLE});
    ask(jit, "bounds", (mf_accessor_options){.policy = MF_POLICY_BOUNDS});
    ask(jit, "none", (mf_accessor_options){.policy = MF_POLICY_NONE});
    ask_equal_plans(jit);
    mf_memory_destroy(paged);
    mf_layout_release(layout);
    mf_memory_destroy(memory);
    mf_jit_destroy(jit);
    return 0;
}
