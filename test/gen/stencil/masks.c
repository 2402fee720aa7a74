// spectre = mask holds by data flow: in code whose branches to the fault are never taken, which is what a CPU
// executes that has predicted them so, every access that is not allowed goes to the mask's place, and the
// others go where they are asked to.
//
// RUN: %stencil-cc %s -o %t %stencil && %t | FileCheck %s
//
// CHECK: {{[1-9][0-9]*}} sets, {{[1-9][0-9]*}} branches removed, {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} of them elsewhere
#include "stencil/table.h"
#include "stencil/write.h"

#include <memfold/generic.h>
#include <memfold/memory.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#ifdef __clang__
#define CALLS_MADE_CODE __attribute__((no_sanitize("function")))
#else
#define CALLS_MADE_CODE
#endif

#define CODE_BYTES ((size_t)1 << 20)

static unsigned sets;
static unsigned branches;
static unsigned long accesses;
static unsigned long elsewhere;

static void must(bool holds, const char *what) {
    if (holds)
        return;
    printf("%s\n", what);
    exit(1);
}

/* A branch of 6 or 2 bytes becomes a nop. */
static void remove_branch(unsigned char *branch) {
    static const unsigned char LONG_NOP[] = {0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00};
    static const unsigned char SHORT_NOP[] = {0x66, 0x90};
    if (branch[0] == 0x0f)
        memcpy(branch, LONG_NOP, sizeof LONG_NOP);
    else
        memcpy(branch, SHORT_NOP, sizeof SHORT_NOP);
    branches++;
}

/* Branches to `target` within the stencil, whose holes are still empty. */
static void remove_branches_to(const stencil *s, uint32_t target, unsigned char *written) {
    const unsigned char *code = STENCIL_TABLE.code + s->code;
    unsigned before = branches;
    for (uint32_t i = 0; i + 2 <= s->code_bytes; i++) {
        int32_t distance;
        if ((code[i] & 0xf0) == 0x70 && (int64_t)i + 2 + (int8_t)code[i + 1] == (int64_t)target) {
            remove_branch(written + i);
        } else if (i + 6 <= s->code_bytes && code[i] == 0x0f && (code[i + 1] & 0xf0) == 0x80) {
            memcpy(&distance, code + i + 2, sizeof distance);
            if ((int64_t)i + 6 + distance == (int64_t)target)
                remove_branch(written + i);
        }
    }
    must(branches > before, "nothing leads to the fault");
}

static const stencil_hole *find_jump(const stencil *s, uint8_t place) {
    for (uint16_t n = 0; n < s->hole_count; n++) {
        const stencil_hole *hole = &STENCIL_TABLE.holes[s->first_hole + n];
        if (hole->form == STENCIL_RELATIVE && hole->what == place)
            return hole;
    }
    return NULL;
}

/*
 * No way leads to the fault any more. A check branches to it; or it jumps there at its end, behind the jump
 * to the access, once it has put the arguments back, and branches to that.
 */
static void remove_branches_of(const stencil *s, unsigned char *written) {
    const stencil_hole *access = find_jump(s, STENCIL_PLACE_ACCESS);
    for (uint16_t n = 0; n < s->hole_count; n++) {
        const stencil_hole *hole = &STENCIL_TABLE.holes[s->first_hole + n];
        if (hole->form != STENCIL_RELATIVE || hole->what != STENCIL_PLACE_FAULT)
            continue;
        if ((written[hole->offset - 1] & 0xf0) == 0x80 && written[hole->offset - 2] == 0x0f) {
            remove_branch(written + hole->offset - 2);
        } else {
            must(access != NULL && access->offset < hole->offset, "the way to the fault is no branch");
            remove_branches_to(s, access->offset + 4u, written);
        }
    }
}

static void remove_branches(const stencil_set *set, mf_accessor_id id, unsigned char *code) {
    const stencil_pieces *pieces = &set->pieces[id];
    uint32_t at = set->functions[id];
    for (uint8_t i = 0; i < pieces->count; i++) {
        const stencil *s = &STENCIL_TABLE.stencils[pieces->numbers[i]];
        remove_branches_of(s, code + at);
        at += s->code_bytes;
    }
}

/* Where the plan's mask leads. */
static uint64_t mask_start(const mf_plan *plan) {
    const mf_plan_step *end = &plan->steps[plan->step_count - 1];
    must(end->kind == MF_STEP_MASK, "a plan without a mask");
    return end->start;
}

static uint64_t at(const mf_view *view, uint64_t index, uint32_t bytes) {
    uint64_t value = 0;
    memcpy(&value, view->base + index, bytes);
    return value;
}

CALLS_MADE_CODE static uint64_t load(mf_accessor_fn *function, bool u33, mf_view *view, uint64_t index) {
    mf_load_result loaded =
        u33 ? ((mf_load_u33_fn *)function)(view, index) : ((mf_load_fn *)function)(view, (uint32_t)index);
    must(loaded.status == MF_FAULT_NONE, "a branch is left");
    return loaded.value;
}

CALLS_MADE_CODE static void store(mf_accessor_fn *function, bool u33, mf_view *view, uint64_t index,
                                  uint64_t value) {
    uint32_t status = u33 ? ((mf_store_u33_fn *)function)(view, index, value)
                          : ((mf_store_fn *)function)(view, (uint32_t)index, value);
    must(status == MF_FAULT_NONE, "a branch is left");
}

/* `generic` says whether the access is allowed. */
CALLS_MADE_CODE static void probe(const mf_plan *plan, mf_accessor_fn *function, mf_view *view,
                                  uint64_t index) {
    bool u33 = plan->index == MF_INDEX_U33;
    const mf_accessor_options options = {.index = (mf_index)plan->index};
    const mf_accessors *generic = mf_generic_accessors(&options);
    mf_accessor_fn *reference = mf_accessors_member(generic, (mf_accessor_id)plan->accessor);
    uint64_t pattern = index * UINT64_C(0x9e3779b97f4a7c15);
    bool loads = plan->operation == MF_LOAD;
    uint32_t status;
    if (loads)
        status = u33 ? ((mf_load_u33_fn *)reference)(view, index).status
                     : ((mf_load_fn *)reference)(view, (uint32_t)index).status;
    else
        status = u33 ? ((mf_store_u33_fn *)reference)(view, index, 0)
                     : ((mf_store_fn *)reference)(view, (uint32_t)index, 0);
    uint64_t place = status == MF_FAULT_NONE ? index : mask_start(plan);
    uint32_t bytes = plan->width_bytes;
    if (loads) {
        uint64_t mask = ~UINT64_C(0) >> (64 - 8 * bytes);
        must((load(function, u33, view, index) & mask) == at(view, place, bytes), "a load went elsewhere");
    } else {
        memset(view->base + place, 0, bytes);
        store(function, u33, view, index, pattern);
        must(at(view, place, bytes) == (pattern & (~UINT64_C(0) >> (64 - 8 * bytes))),
             "a store went elsewhere");
    }
    accesses++;
    elsewhere += status != MF_FAULT_NONE;
}

static void probe_set(mf_memory *memory, const mf_layout *layout, const mf_accessor_options *options,
                      const uint64_t *indices, size_t index_count) {
    plan_set plans;
    stencil_set set;
    if (plan_set_make(layout, options, &plans, NULL) != MF_OK)
        return; /* not exact for this layout */
    unsigned char *code = mmap(NULL, CODE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    must(code != MAP_FAILED && stencil_set_choose(&plans, options, &set), "a set");
    must(set.bytes <= CODE_BYTES, "its bytes");
    stencil_set_write(&set, code);
    for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++)
        remove_branches(&set, id, code);
    must(mprotect(code, CODE_BYTES, PROT_READ | PROT_EXEC) == 0, "mprotect");
    plan_fit fit = plan_fit_make(layout, options, &plans);
    mf_accessors accessors = stencil_accessors(set.functions, fit, (uintptr_t)code);
    for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++)
        for (size_t i = 0; i < index_count; i++)
            if (options->index == MF_INDEX_U33 || indices[i] < MF_SPACE_BYTES)
                probe(&plans.plans[id], mf_accessors_member(&accessors, id), mf_memory_view(memory),
                      indices[i]);
    plan_set_fini(&plans);
    munmap(code, CODE_BYTES);
    sets++;
}

/* Regions of 64 KiB with as much between them, from `first` on; one of them may be a heap that grows. */
static mf_memory *make_memory(uint64_t first, unsigned regions, unsigned heap) {
    mf_memory *memory;
    mf_layout *layout;
    mf_layout_builder *builder = mf_layout_builder_create();
    for (unsigned i = 0; i < regions; i++) {
        uint64_t start = first + i * UINT64_C(0x20000);
        if (i == heap)
            must(mf_layout_builder_set_heap(builder, start, 16, NULL) == MF_OK, "heap");
        else
            must(mf_layout_builder_map_region(builder, start, 0x10000, MF_READ_WRITE, "\x5a\xc3\x11", 3,
                                              NULL) == MF_OK,
                 "region");
    }
    must(mf_layout_builder_finish(builder, &layout, NULL, NULL) == MF_OK, "layout");
    must(mf_memory_create(layout, NULL, MF_BACKEND_COPY, &memory, NULL) == MF_OK, "memory");
    uint64_t top;
    if (heap < regions)
        must(mf_memory_sbrk(memory, 0x2800, &top, NULL) == MF_OK, "sbrk");
    mf_layout_release(layout);
    mf_layout_builder_destroy(builder);
    return memory;
}

static size_t list_indices(uint64_t first, unsigned regions, uint64_t *indices) {
    size_t count = 0;
    for (unsigned i = 0; i < regions; i++)
        for (int64_t near = -9; near <= 9; near += 3)
            for (uint64_t edge = 0; edge < 3; edge++) {
                static const uint64_t EDGES[] = {0, 0x3000, 0x10000};
                uint64_t index = first + i * UINT64_C(0x20000) + EDGES[edge] + (uint64_t)near;
                if (index < 2 * MF_SPACE_BYTES)
                    indices[count++] = index;
            }
    indices[count++] = MF_SPACE_BYTES - 3;
    indices[count++] = MF_SPACE_BYTES + 5;
    indices[count++] = 2 * MF_SPACE_BYTES - 2;
    return count;
}

int main(void) {
    static const uint64_t FIRSTS[] = {0, 0x10000, 0xFFF00000};
    for (size_t f = 0; f < sizeof FIRSTS / sizeof FIRSTS[0]; f++)
        for (unsigned regions = 1; regions <= 6; regions++)
            for (unsigned heap = 0; heap <= 6; heap += heap == 2 ? 4 : 1) {
                uint64_t indices[256];
                size_t count = list_indices(FIRSTS[f], regions, indices);
                mf_memory *memory = make_memory(FIRSTS[f], regions, heap);
                mf_layout *layout;
                must(mf_memory_layout(memory, &layout, NULL) == MF_OK, "layout");
                for (mf_strategy strategy = 0; strategy <= MF_STRATEGY_PERM_TABLE; strategy++)
                    for (mf_index index = MF_INDEX_U32; index <= MF_INDEX_U33; index++) {
                        mf_accessor_options options = {
                            .strategy = strategy, .index = index, .spectre = MF_SPECTRE_MASK};
                        probe_set(memory, layout, &options, indices, count);
                    }
                mf_layout_release(layout);
                mf_memory_destroy(memory);
            }
    printf("%u sets, %u branches removed, %lu accesses, %lu of them elsewhere\n", sets, branches, accesses,
           elsewhere);
    return 0;
}
