/*
 * Every generic accessor of every set, on every pair of neighbouring permissions, at every straddle of the
 * border between them, inside the space and at its top, against the contract spelled out byte by byte.
 *
 * RUN: %cc %s -o %t %runtime && %t | FileCheck %s
 *
 * CHECK: copy: 16 sets, 19944 accesses
 * CHECK-NEXT: x86_paged: 16 sets, 19944 accesses
 */
#include "support.h"

#include <sys/mman.h>

typedef struct outcome {
    uint64_t value;
    uint32_t status;
    mf_fault fault;
} outcome;

/* What the reference knows: the permission of each page and the byte at each index near the border. */
typedef struct model {
    uint64_t border;
    mf_perm below;
    mf_perm above;
} model;

static mf_perm perm_at(const model *model, uint64_t index) {
    return index >= TOP ? MF_PERM_NONE : index < model->border ? model->below : model->above;
}

static uint8_t model_byte(uint64_t index) {
    return (uint8_t)(index * 37 + 0x85);
}

/* The contract: the first byte in the wrong decides; otherwise the bytes make the value. */
static outcome reference(const model *model, const mf_accessor_info *info, uint64_t index, bool big) {
    outcome want = {0};
    for (uint32_t i = 0; i < info->width_bytes; i++) {
        mf_perm perm = perm_at(model, index + i);
        if (perm == MF_PERM_NONE || (perm == MF_PERM_RO && info->operation == MF_STORE)) {
            want.status = perm == MF_PERM_RO ? MF_WRITE_PROTECTED : MF_PAGE_FAULT;
            want.fault =
                (mf_fault){want.status, info->operation, (index + i) / PAGE * PAGE, index, info->width_bytes};
            want.value = 0;
            return want;
        }
        uint32_t place = big ? info->width_bytes - 1 - i : i;
        want.value |= (uint64_t)model_byte(index + i) << 8 * place;
    }
    uint32_t bits = 8 * info->width_bytes;
    if (info->sign_extends && (want.value >> (bits - 1) & 1) != 0)
        want.value |= ~((UINT64_C(1) << (bits - 1)) - 1);
    return want;
}

typedef struct call {
    const mf_accessor_options *options;
    mf_accessor_fn *function;
    const mf_accessor_info *info;
    uint64_t index;
    uint64_t stored;
    outcome got;
} call;

#define AS(type) ((type *)c->function)

static void call_load(mf_view *view, call *c) {
    bool at = c->options->base == MF_BASE_ARGUMENT;
    uint32_t address = (uint32_t)c->index;
    mf_load_result result = {0};
    if (c->options->on_fault == MF_ON_FAULT_TRAP) {
        if (c->options->index == MF_INDEX_U33) {
            result.value = at ? AS(mf_load_trap_at_u33_fn)(view, view->base, c->index)
                              : AS(mf_load_trap_u33_fn)(view, c->index);
        } else {
            result.value =
                at ? AS(mf_load_trap_at_fn)(view, view->base, address) : AS(mf_load_trap_fn)(view, address);
        }
    } else if (c->options->index == MF_INDEX_U33) {
        result = at ? AS(mf_load_at_u33_fn)(view, view->base, c->index) : AS(mf_load_u33_fn)(view, c->index);
    } else {
        result = at ? AS(mf_load_at_fn)(view, view->base, address) : AS(mf_load_fn)(view, address);
    }
    c->got.value = result.value;
    c->got.status = result.status;
}

static void call_store(mf_view *view, call *c) {
    bool at = c->options->base == MF_BASE_ARGUMENT;
    uint32_t address = (uint32_t)c->index;
    if (c->options->on_fault == MF_ON_FAULT_TRAP) {
        if (c->options->index == MF_INDEX_U33) {
            at ? AS(mf_store_trap_at_u33_fn)(view, view->base, c->index, c->stored)
               : AS(mf_store_trap_u33_fn)(view, c->index, c->stored);
        } else {
            at ? AS(mf_store_trap_at_fn)(view, view->base, address, c->stored)
               : AS(mf_store_trap_fn)(view, address, c->stored);
        }
        c->got.status = MF_FAULT_NONE;
    } else if (c->options->index == MF_INDEX_U33) {
        c->got.status = at ? AS(mf_store_at_u33_fn)(view, view->base, c->index, c->stored)
                           : AS(mf_store_u33_fn)(view, c->index, c->stored);
    } else {
        c->got.status = at ? AS(mf_store_at_fn)(view, view->base, address, c->stored)
                           : AS(mf_store_fn)(view, address, c->stored);
    }
}

static void body(mf_view *view, void *context) {
    call *c = context;
    if (c->info->operation == MF_LOAD)
        call_load(view, c);
    else
        call_store(view, c);
}

/* On x86_paged the host's own permissions of the two pages are lifted, or are again as the model has them. */
static void set_host_pages(mf_view *view, const model *model, bool open) {
    static const int protections[] = {PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE};
    unsigned char *border = view->base + model->border;
    if (backend == MF_BACKEND_X86_PAGED) {
        expect(mprotect(border - PAGE, PAGE, protections[open ? MF_PERM_RW : model->below]) == 0);
        if (model->border < TOP)
            expect(mprotect(border, PAGE, protections[open ? MF_PERM_RW : model->above]) == 0);
    }
}

/* The host bytes around the border are read and prepared directly, whatever their permission. */
static void check(mf_memory *m, const model *model, const mf_accessor_options *options, mf_accessor_id id,
                  uint64_t index) {
    mf_view *view = mf_memory_view(m);
    uint64_t first = model->border - 16, end = model->border + 16 < TOP ? model->border + 16 : TOP;
    set_host_pages(view, model, true);
    for (uint64_t i = first; i < end; i++)
        view->base[i] = model_byte(i);
    set_host_pages(view, model, false);
    view->fault = (mf_fault){0};
    const mf_accessor_info *info = mf_accessor_info_get(id);
    bool big = options->endian == MF_BIG_ENDIAN;
    outcome want = reference(model, info, index, big);
    call c = {
        options, mf_accessors_member(mf_generic_accessors(options), id), info, index, 0xfedcba9876543210,
        {0}};
    if (!mf_guard_run(view, body, &c, &c.got.fault)) {
        expect(options->on_fault == MF_ON_FAULT_TRAP);
        c.got.status = c.got.fault.kind;
    }
    expect(c.got.status == want.status);
    expect(info->operation == MF_STORE || c.got.value == want.value);
    expect(memcmp(&view->fault, &want.fault, sizeof want.fault) == 0);
    set_host_pages(view, model, true);
    for (uint64_t i = first; i < end; i++) {
        bool stored = info->operation == MF_STORE && want.status == 0 && i - index < info->width_bytes;
        uint64_t place = big ? info->width_bytes - 1 - (i - index) : i - index;
        expect(view->base[i] == (stored ? (uint8_t)(c.stored >> 8 * place) : model_byte(i)));
    }
    set_host_pages(view, model, false);
}

static size_t check_set(const mf_accessor_options *options) {
    static const uint64_t borders[] = {5 * MF_PAGE_SIZE, TOP - MF_PAGE_SIZE, TOP};
    size_t accesses = 0;
    for (int pair = 0; pair < 27; pair++) {
        model model = {borders[pair / 9], (mf_perm)(pair % 3), (mf_perm)(pair / 3 % 3)};
        mf_memory *m = memory_of(&(mf_region){0, TOP, MF_READ_WRITE}, 1, (mf_heap){0});
        expect_ok(mf_memory_unmap(m, 0, TOP, NULL));
        expect_ok(mf_memory_protect(m, model.border - PAGE, PAGE, model.below, NULL));
        if (model.border < TOP)
            expect_ok(mf_memory_protect(m, model.border, PAGE, model.above, NULL));
        for (int id = 0; id < MF_ACCESSOR_COUNT; id++) {
            /* From wholly below the border, over each straddle, to the first byte above it, where that is. */
            uint64_t width = mf_accessor_info_get((mf_accessor_id)id)->width_bytes;
            uint64_t last = model.border;
            if (options->index == MF_INDEX_U32 && last >= TOP)
                last = TOP - 1;
            for (uint64_t index = model.border - width; index <= last; index++) {
                check(m, &model, options, (mf_accessor_id)id, index);
                accesses++;
            }
        }
        mf_memory_destroy(m);
    }
    return accesses;
}

static void check_all_sets(void) {
    size_t sets = 0, accesses = 0;
    for (int i = 0; i < 16; i++) {
        mf_accessor_options options = {.endian = (mf_endian)(i & 1),
                                       .on_fault = (mf_on_fault)(i >> 1 & 1),
                                       .index = (mf_index)(i >> 2 & 1),
                                       .base = (mf_base)(i >> 3)};
        accesses += check_set(&options);
        sets++;
    }
    printf("%s: %zu sets, %zu accesses\n", BACKENDS[backend].name, sets, accesses);
}

int main(void) {
    run_on_every_backend(check_all_sets);
    return 0;
}
