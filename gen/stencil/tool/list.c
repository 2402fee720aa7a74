#include "stencil/tool/list.h"

#include <memfold/layout.h>

#include <assert.h>
#include <stdlib.h>

/* ---- The list ---- */

static mf_status add(list *l, const listed *entry, mf_diag *diag) {
    if (l->count == l->capacity) {
        size_t capacity = l->capacity == 0 ? 1024 : 2 * l->capacity;
        listed *entries = realloc(l->entries, capacity * sizeof *entries);
        if (entries == NULL)
            return mf_diag_set(diag, MF_OUT_OF_MEMORY, 0, "no memory for the list of stencils");
        l->entries = entries;
        l->capacity = capacity;
    }
    l->entries[l->count++] = *entry;
    return MF_OK;
}

void list_fini(list *l) {
    free(l->entries);
    *l = (list){0};
}

/* ---- Parts ---- */

static mf_plan plan_of_one_step(mf_accessor_id id, const mf_accessor_options *options, mf_plan_step step) {
    const mf_accessor_info *info = mf_accessor_info_get(id);
    return (mf_plan){.accessor = id,
                     .operation = info->operation,
                     .width_bytes = info->width_bytes,
                     .index = options->index,
                     .step_count = 1,
                     .steps = {step}};
}

/* Any numbers that are not 0 do: they become holes. */
static void set_base(mf_accessor_options *options, shape_base base) {
    options->base = base == SHAPE_BASE_VIEW       ? MF_BASE_VIEW
                    : base == SHAPE_BASE_ARGUMENT ? MF_BASE_ARGUMENT
                                                  : MF_BASE_CONSTANT;
    options->base_address = base == SHAPE_BASE_SMALL  ? INT32_MAX
                            : base == SHAPE_BASE_WIDE ? UINT64_C(1) << 40
                                                      : 0;
}

static mf_status add_part(list *l, uint32_t number, listed entry, mf_diag *diag) {
    assert(number == l->count);
    (void)number;
    return add(l, &entry, diag);
}

static mf_status add_stamps(list *l, mf_diag *diag) {
    mf_plan_step steps[] = {
        {.kind = MF_STEP_SAME_LAYOUT, .start = 1},
        {.kind = MF_STEP_SAME_BACKEND, .start = MF_BACKEND_COPY},
        {.kind = MF_STEP_SAME_BACKEND, .start = MF_BACKEND_X86_PAGED},
    };
    mf_status status = MF_OK;
    for (size_t i = 0; status == MF_OK && i < SHAPE_STAMP_COUNT; i++) {
        listed entry = {.kind = LISTED_STAMP, .options = {.index = (mf_index)(i % 2)}};
        steps[i / 2].on_fail = MF_EXIT_PANIC;
        entry.plan = plan_of_one_step(MF_LOAD_U8, &entry.options, steps[i / 2]);
        status = add_part(l, shape_stamp(&entry.plan), entry, diag);
    }
    return status;
}

/* All bases and indices of one access. */
static mf_status add_accesses(list *l, mf_accessor_id id, mf_accessor_options options, mf_plan_step step,
                              mf_diag *diag) {
    mf_status status = MF_OK;
    for (shape_base base = 0; base < SHAPE_BASE_COUNT; base++)
        for (mf_index index = MF_INDEX_U32; status == MF_OK && index <= MF_INDEX_U33; index++) {
            set_base(&options, base);
            options.index = index;
            listed entry = {.kind = LISTED_ACCESSOR, .wide = base == SHAPE_BASE_WIDE, .options = options};
            entry.plan = plan_of_one_step(id, &options, step);
            status = add(l, &entry, diag);
        }
    return status;
}

static mf_status add_plain(list *l, mf_diag *diag) {
    static const mf_plan_step STEP = {
        .kind = MF_STEP_ALWAYS, .on_pass = MF_EXIT_ALLOWED, .on_fail = MF_EXIT_ALLOWED};
    mf_status status = MF_OK;
    for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++)
        for (uint32_t i = 0; status == MF_OK && i < 4; i++) {
            mf_accessor_options options = {.endian = (mf_endian)(i / 2), .on_fault = (mf_on_fault)(i % 2)};
            status = add_accesses(l, id, options, STEP, diag);
        }
    return status;
}

static mf_status add_paged(list *l, mf_diag *diag) {
    mf_status status = MF_OK;
    for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++)
        for (uint32_t i = 0; status == MF_OK && i < 2 * SHAPE_MMU_COUNT; i++) {
            shape_mmu mmu = (shape_mmu)(i % SHAPE_MMU_COUNT);
            bool traps = mmu != SHAPE_MMU_RETURN;
            mf_accessor_options options = {.backend = MF_BACKEND_X86_PAGED,
                                           .endian = (mf_endian)(i / SHAPE_MMU_COUNT),
                                           .on_fault = traps ? MF_ON_FAULT_TRAP : MF_ON_FAULT_RETURN,
                                           .order =
                                               mmu == SHAPE_MMU_TRAP_GUEST ? MF_ORDER_GUEST : MF_ORDER_ALL};
            mf_plan_step step = {.kind = MF_STEP_MMU,
                                 .on_pass = MF_EXIT_ALLOWED,
                                 .on_fail = traps ? MF_EXIT_HANDLER : MF_EXIT_FAULT};
            status = add_accesses(l, id, options, step, diag);
        }
    return status;
}

static mf_status add_faults(list *l, mf_diag *diag) {
    static const mf_plan_step STEP = {
        .kind = MF_STEP_ALWAYS, .on_pass = MF_EXIT_FAULT, .on_fail = MF_EXIT_FAULT};
    mf_status status = MF_OK;
    for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++)
        for (uint32_t i = 0; status == MF_OK && i < 16; i++) {
            listed entry = {.kind = LISTED_ACCESSOR};
            entry.options = (mf_accessor_options){
                .on_fault = (mf_on_fault)(i / 8), .base = (mf_base)(i / 4 % 2), .index = (mf_index)(i % 2)};
            entry.plan = plan_of_one_step(id, &entry.options, STEP);
            shape_way way = shape_way_of(&entry.options);
            entry.plan.limit = i / 2 % 2;
            status = add_part(l, shape_fault(id, &way, entry.plan.limit != 0), entry, diag);
        }
    return status;
}

/* ---- Checks ---- */

static bool is_listed(const list *l, const check_shape *shape) {
    for (size_t i = SHAPE_PART_COUNT; i < l->count; i++)
        if (l->entries[i].shape.steps == shape->steps && l->entries[i].shape.variant == shape->variant)
            return true;
    return false;
}

/* A check with its base argument and without, and in both sizes if there are two. */
static mf_status add_check(list *l, const mf_plan *plan, const mf_accessor_options *options, mf_diag *diag) {
    listed entry = {.kind = LISTED_CHECK, .plan = *plan, .options = *options};
    mf_status status = MF_OK;
    for (uint32_t i = 0; status == MF_OK && i < 4; i++) {
        entry.wide = i / 2;
        entry.options.base = i % 2 ? MF_BASE_ARGUMENT : MF_BASE_VIEW;
        if (!check_shape_make(plan, &entry.options, &entry.shape))
            return mf_diag_set(diag, MF_INVALID_ARGUMENT, 0, "a check has no shape");
        assert(!(entry.shape.variant & CHECK_WIDE) && "the windows of the list lie low");
        entry.shape.variant |= entry.wide ? CHECK_WIDE : 0;
        if (is_listed(l, &entry.shape))
            return MF_OK;
        if (!entry.wide || check_shape_has_wide(plan))
            status = add(l, &entry, diag);
    }
    return status;
}

static bool compares(const mf_plan *plan) {
    return plan->steps[0].kind != MF_STEP_ALWAYS && plan->steps[0].kind != MF_STEP_MMU;
}

/* A strategy that is not exact for the layout has no plan. */
static mf_status add_plans(list *l, const mf_layout *layout, const mf_accessor_options *options,
                           mf_diag *diag) {
    static const mf_accessor_id IDS[] = {MF_LOAD_U8, MF_LOAD_U64, MF_STORE_U8, MF_STORE_U64};
    mf_status status = MF_OK;
    for (size_t i = 0; status == MF_OK && i < sizeof IDS / sizeof IDS[0]; i++) {
        mf_plan plan;
        if (mf_plan_make(layout, IDS[i], options, &plan, NULL) == MF_OK && compares(&plan))
            status = add_check(l, &plan, options, diag);
    }
    return status;
}

/* Windows and the heap lie in slots, between which there is room; all of them within 64 granules. */
#define GRANULE UINT64_C(0x10000)
#define SLOT_BYTES (4 * GRANULE)
#define SLOTS_MAX 6

static mf_status add_options(list *l, const mf_layout *layout, uint64_t first, uint32_t slots,
                             mf_diag *diag) {
    mf_status status = MF_OK;
    for (mf_strategy strategy = 0; strategy <= MF_STRATEGY_LAST; strategy++)
        for (uint32_t hot = 0; hot <= slots; hot++)
            for (uint32_t i = 0; status == MF_OK && i < 4; i++) {
                mf_accessor_options options = {
                    .strategy = strategy, .index = (mf_index)(i / 2), .spectre = (mf_spectre)(i % 2)};
                if (hot > 0) {
                    options.hot_address = (uint32_t)(first + (hot - 1) * SLOT_BYTES);
                    options.hot_percent = 90;
                }
                status = add_plans(l, layout, &options, diag);
            }
    return status;
}

/* What lies in the slots: `heap` is the heap's, SLOTS_MAX for none; below it may be a page that is its own.
 */
typedef struct scene {
    uint64_t first;
    uint32_t slots;
    uint32_t heap;
    bool fixed;
} scene;

static mf_status map_slots(mf_layout_builder *builder, const scene *s, mf_diag *diag) {
    mf_status status = MF_OK;
    for (uint32_t i = 0; status == MF_OK && i < s->slots; i++) {
        uint64_t start = s->first + i * SLOT_BYTES;
        uint64_t fixed = i == s->heap ? (s->fixed ? GRANULE : 0) : 2 * GRANULE;
        status = mf_layout_builder_map_region(builder, start, fixed, MF_READ_WRITE, NULL, 0, diag);
        if (status == MF_OK && i == s->heap)
            status = mf_layout_builder_set_heap(builder, start + fixed, GRANULE / MF_PAGE_SIZE, diag);
    }
    return status;
}

static mf_status add_scene(list *l, const scene *s, mf_diag *diag) {
    mf_layout *layout = NULL;
    mf_layout_builder *builder = mf_layout_builder_create();
    if (builder == NULL)
        return mf_diag_set(diag, MF_OUT_OF_MEMORY, 0, "no memory for a layout");
    mf_status status = map_slots(builder, s, diag);
    if (status == MF_OK)
        status = mf_layout_builder_finish(builder, &layout, NULL, diag);
    if (status == MF_OK)
        status = add_options(l, layout, s->first, s->slots, diag);
    mf_layout_release(layout);
    mf_layout_builder_destroy(builder);
    return status;
}

static mf_status add_checks(list *l, mf_diag *diag) {
    mf_status status = MF_OK;
    for (uint32_t slots = 1; slots <= SLOTS_MAX; slots++)
        for (uint32_t heap = 0; heap <= SLOTS_MAX; heap++)
            for (uint32_t i = 0; status == MF_OK && i < 4; i++) {
                scene s = {.first = i / 2 * SLOT_BYTES, .slots = slots, .heap = heap, .fixed = i % 2};
                if (heap < slots || heap == SLOTS_MAX)
                    status = add_scene(l, &s, diag);
            }
    return status;
}

mf_status list_make(list *l, mf_diag *diag) {
    mf_status status = add_stamps(l, diag);
    if (status == MF_OK)
        status = add_plain(l, diag);
    if (status == MF_OK)
        status = add_paged(l, diag);
    if (status == MF_OK)
        status = add_faults(l, diag);
    assert(status != MF_OK || l->count == SHAPE_PART_COUNT);
    return status == MF_OK ? add_checks(l, diag) : status;
}
