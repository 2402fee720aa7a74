#include "jit/stencil_maker.h"

#include "host/perf_map.h"
#include "jit/arena.h"
#include "stencil/write.h"

#include <memfold/exception_table.h>
#include <memfold/version.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What the sets of one jit are made with. */
typedef struct workshop {
    arena *arena;
    perf_map perf_map;
} workshop;

/* One set; its accessors and its entries lie in the slot. */
typedef struct slot_set {
    arena_slot slot;
    const mf_exception_entry *entries; /* registered; NULL if there are none */
} slot_set;

/* ---- The workshop ---- */

static void close_workshop(void *state) {
    workshop *w = state;
    arena_destroy(w->arena);
    perf_map_close(&w->perf_map);
    free(w);
}

static mf_status open_workshop(const mf_jit_config *config, void **state, mf_diag *diag) {
#ifndef __x86_64__
    return mf_diag_set(diag, MF_UNKNOWN_TARGET, 0, "there are stencils for x86-64 only");
#endif
    workshop *made = calloc(1, sizeof *made);
    if (made == NULL)
        return mf_diag_set(diag, MF_OUT_OF_MEMORY, sizeof *made, "no memory for a jit");
    mf_status status = arena_create(&made->arena, diag);
    if (status == MF_OK && config->perf_map)
        status = perf_map_open(&made->perf_map, diag);
    if (status == MF_OK)
        *state = made;
    else
        close_workshop(made);
    return status;
}

/* ---- Sets ---- */

static mf_status register_entries(const stencil_set *chosen, slot_set *set, mf_diag *diag) {
    if (chosen->entry_count == 0)
        return MF_OK;
    const mf_exception_entry *entries = (const mf_exception_entry *)(set->slot.run + chosen->entries);
    mf_status status = mf_exception_table_register(entries, chosen->entry_count, diag);
    if (status == MF_OK)
        set->entries = entries;
    return status;
}

/* What debuggers and profilers are told. Without memory for it they know less. */
static void announce(workshop *w, const maker_input *input, const stencil_set *chosen, const slot_set *set,
                     const mf_accessors *accessors) {
    arena_function functions[MF_ACCESSOR_COUNT];
    uint64_t sizes_bytes[MF_ACCESSOR_COUNT];
    for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++) {
        functions[id] = (arena_function){mf_accessor_info_get(id)->name, chosen->functions[id],
                                         chosen->function_bytes[id]};
        sizes_bytes[id] = chosen->function_bytes[id];
    }
    arena_name(w->arena, &set->slot, input->prefix, functions, MF_ACCESSOR_COUNT);
    if (perf_map_is_there(&w->perf_map))
        perf_map_append(&w->perf_map, input->prefix, accessors, sizes_bytes);
}

/* On failure the slot is to be given back. */
static mf_status fill_slot(workshop *w, const maker_input *input, const stencil_set *chosen, slot_set *set,
                           mf_diag *diag) {
    mf_accessors accessors = stencil_accessors(chosen->functions, input->fit, set->slot.run);
    stencil_set_write(chosen, set->slot.write);
    memcpy(set->slot.write + chosen->accessors, &accessors, sizeof accessors);
    mf_status status = arena_publish(w->arena, &set->slot, diag);
    return status == MF_OK ? register_entries(chosen, set, diag) : status;
}

static mf_status make_chosen(workshop *w, const maker_input *input, const stencil_set *chosen, slot_set *set,
                             mf_diag *diag) {
    mf_status status = arena_take(w->arena, chosen->bytes, &set->slot, diag);
    if (status != MF_OK)
        return status;
    status = fill_slot(w, input, chosen, set, diag);
    if (status != MF_OK)
        arena_give(w->arena, &set->slot);
    return status;
}

static mf_status make_from_stencils(void *state, const maker_input *input, made_set *made, mf_diag *diag) {
    stencil_set chosen;
    if (!stencil_set_choose(input->plans, input->options, &chosen))
        return mf_diag_set(diag, MF_UNKNOWN_TARGET, 0, "there is no stencil for one of the checks");
    slot_set *set = calloc(1, sizeof *set);
    if (set == NULL)
        return mf_diag_set(diag, MF_OUT_OF_MEMORY, sizeof *set, "no memory for code");
    mf_status status = make_chosen(state, input, &chosen, set, diag);
    if (status != MF_OK) {
        free(set);
        return status;
    }
    *made = (made_set){(const mf_accessors *)(set->slot.run + chosen.accessors), set};
    announce(state, input, &chosen, set, made->accessors);
    return MF_OK;
}

/* No fault handler uses the exception table any more when its code goes. */
static void unmake(void *state, made_set *made) {
    workshop *w = state;
    slot_set *set = made->own;
    if (set->entries != NULL)
        mf_exception_table_unregister(set->entries);
    arena_give(w->arena, &set->slot);
    free(set);
    *made = (made_set){0};
}

const mf_code_maker stencil_maker = {
    .name = "stencil",
    .version = MF_VERSION,
    .open = open_workshop,
    .close = close_workshop,
    .make = make_from_stencils,
    .unmake = unmake,
};
