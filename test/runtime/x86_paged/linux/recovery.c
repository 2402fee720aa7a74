/*
 * Accessors with an exception table: what they return, what is recorded, and that nothing is half done. All
 * nine pairs of permissions x all straddles of every width x load and store, inside the space and at its top,
 * then indices of 33 bits, then every page of a layout at its edges.
 *
 * RUN: %cc -D_GNU_SOURCE %s -o %t %runtime && %t | FileCheck %s
 *
 * CHECK: 27 borders, 1242 accesses
 * CHECK-NEXT: the last bytes
 * CHECK-NEXT: 33-bit indices
 * CHECK-NEXT: every page at its edges
 */
#include "asm_accessors.h"
#include "host.h"

/* What the contract says about a byte, from the permissions of the pages below and from `border` on. */
typedef struct model {
    uint64_t border;
    mf_perm below;
    mf_perm above;
} model;

static mf_perm model_perm(const model *m, uint64_t index) {
    return index >= TOP ? MF_PERM_NONE : index < m->border ? m->below : m->above;
}

static mf_fault model_fault(const model *m, uint64_t index, uint32_t bytes, mf_operation operation) {
    for (uint64_t i = index; i < index + bytes; i++) {
        mf_perm perm = model_perm(m, i);
        if (perm == MF_PERM_RW || (perm == MF_PERM_RO && operation == MF_LOAD))
            continue;
        mf_fault_kind kind = perm == MF_PERM_RO ? MF_WRITE_PROTECTED : MF_PAGE_FAULT;
        return (mf_fault){kind, operation, i / PAGE * PAGE, index, bytes};
    }
    return (mf_fault){0};
}

static uint8_t pattern(uint64_t index) {
    return (uint8_t)(index * 37 + 11);
}

static void set_perms(mf_memory *m, const model *model, bool open) {
    expect_ok(mf_memory_protect(m, model->border - PAGE, PAGE, open ? MF_PERM_RW : model->below, NULL));
    if (model->border < TOP)
        expect_ok(mf_memory_protect(m, model->border, PAGE, open ? MF_PERM_RW : model->above, NULL));
}

static void write_pattern(mf_memory *m, const model *model) {
    set_perms(m, model, true);
    for (uint64_t i = model->border - 16; i < model->border + 16 && i < TOP; i++)
        set_byte(m, (uint32_t)i, pattern(i));
    set_perms(m, model, false);
}

/* The bytes are the pattern, except `bytes` from `index` on, which are `value`. */
static void expect_pattern(mf_memory *m, const model *model, uint64_t index, uint32_t bytes, uint64_t value) {
    set_perms(m, model, true);
    for (uint64_t i = model->border - 16; i < model->border + 16 && i < TOP; i++) {
        bool stored = i - index < bytes;
        expect(byte_at(m, (uint32_t)i) == (stored ? (uint8_t)(value >> 8 * (i - index)) : pattern(i)));
    }
    set_perms(m, model, false);
}

static void check_load(mf_memory *m, const model *model, const asm_width *width, uint64_t index) {
    mf_view *view = mf_memory_view(m);
    view->fault = (mf_fault){0};
    mf_fault want = model_fault(model, index, width->bytes, MF_LOAD);
    uint64_t value = 0;
    for (uint32_t i = 0; want.kind == 0 && i < width->bytes; i++)
        value |= (uint64_t)pattern(index + i) << 8 * i;
    mf_load_result got = width->load(view, index);
    expect(got.status == want.kind && got.value == value);
    expect(memcmp(&view->fault, &want, sizeof want) == 0);
}

static void check_store(mf_memory *m, const model *model, const asm_width *width, uint64_t index) {
    const uint64_t value = 0xfedcba9876543210;
    mf_view *view = mf_memory_view(m);
    view->fault = (mf_fault){0};
    mf_fault want = model_fault(model, index, width->bytes, MF_STORE);
    expect(width->store(view, index, value) == want.kind);
    expect(memcmp(&view->fault, &want, sizeof want) == 0);
    expect_pattern(m, model, index, want.kind == 0 ? width->bytes : 0, value);
    write_pattern(m, model);
}

static void check_borders(void) {
    static const uint64_t borders[] = {5 * MF_PAGE_SIZE, TOP - MF_PAGE_SIZE, TOP};
    size_t accesses = 0;
    for (int pair = 0; pair < 27; pair++) {
        model model = {borders[pair / 9], (mf_perm)(pair % 3), (mf_perm)(pair / 3 % 3)};
        mf_memory *m = memory_of(NULL, 0, (mf_heap){0});
        write_pattern(m, &model);
        for (size_t w = 0; w < ASM_WIDTH_COUNT; w++) {
            for (uint64_t i = model.border - asm_widths[w].bytes; i <= model.border + 1; i++) {
                check_load(m, &model, &asm_widths[w], i);
                check_store(m, &model, &asm_widths[w], i);
                accesses += 2;
            }
        }
        mf_memory_destroy(m);
    }
    printf("27 borders, %zu accesses\n", accesses);
}

/* 0xfffffff9 to 0xffffffff, with the last page none, read-only and read-write: only the top is in the way. */
static void check_last_bytes(void) {
    for (int perm = 0; perm < 3; perm++) {
        model model = {TOP, (mf_perm)perm, MF_PERM_NONE};
        mf_memory *m = memory_of(NULL, 0, (mf_heap){0});
        write_pattern(m, &model);
        for (uint64_t i = TOP - 7; i < TOP; i++) {
            for (size_t w = 0; w < ASM_WIDTH_COUNT; w++) {
                check_load(m, &model, &asm_widths[w], i);
                check_store(m, &model, &asm_widths[w], i);
            }
        }
        mf_memory_destroy(m);
    }
    puts("the last bytes");
}

/* Every access above 2^32 faults on its own first page, up to the last byte that such an access can touch. */
static void check_33_bits(void) {
    static const uint64_t indices[] = {
        TOP,         TOP + 1,     TOP + PAGE - 1, 0x180000000, 2 * TOP - PAGE - 1,
        2 * TOP - 9, 2 * TOP - 8, 2 * TOP - 3,    2 * TOP - 2};
    const model all = {TOP, MF_PERM_RW, MF_PERM_NONE};
    mf_memory *m = memory_of(&(mf_region){0, TOP, MF_READ_WRITE}, 1, (mf_heap){0});
    for (size_t i = 0; i < sizeof indices / sizeof indices[0]; i++) {
        for (size_t w = 0; w < ASM_WIDTH_COUNT; w++) {
            mf_view *view = mf_memory_view(m);
            mf_fault load = model_fault(&all, indices[i], asm_widths[w].bytes, MF_LOAD);
            mf_fault store = model_fault(&all, indices[i], asm_widths[w].bytes, MF_STORE);
            expect(asm_widths[w].load(view, indices[i]).status == MF_PAGE_FAULT);
            expect(memcmp(&view->fault, &load, sizeof load) == 0);
            expect(asm_widths[w].store(view, indices[i], 1) == MF_PAGE_FAULT);
            expect(memcmp(&view->fault, &store, sizeof store) == 0);
        }
    }
    mf_memory_destroy(m);
    puts("33-bit indices");
}

static void check_edges_of_pages(void) {
    enum { PAGES = 200 };
    mf_memory *m = memory_of(NULL, 0, (mf_heap){0});
    uint64_t random = 5;
    for (uint32_t page = 0; page < PAGES; page++) {
        mf_perm perm = (mf_perm)(next_random(&random) % 3);
        expect_ok(mf_memory_protect(m, page * PAGE, PAGE, perm, NULL));
    }
    mf_view *view = mf_memory_view(m);
    for (uint32_t page = 0; page < PAGES; page++) {
        static const uint32_t offsets[] = {0, 1, MF_PAGE_SIZE / 2, MF_PAGE_SIZE - 2, MF_PAGE_SIZE - 1};
        mf_perm perm = mf_memory_perm_of(m, page * PAGE);
        for (size_t i = 0; i < 5; i++) {
            uint32_t address = page * PAGE + offsets[i];
            uint32_t stored = perm == MF_PERM_RW   ? 0
                              : perm == MF_PERM_RO ? MF_WRITE_PROTECTED
                                                   : MF_PAGE_FAULT;
            expect(asm_load_u8(view, address).status == (perm == MF_PERM_NONE ? MF_PAGE_FAULT : 0u));
            expect(perm != MF_PERM_NONE ||
                   fault_is(view->fault, MF_PAGE_FAULT, MF_LOAD, page * PAGE, address, 1));
            expect(asm_store_u8(view, address, 1) == stored);
            expect(stored == 0 ||
                   fault_is(view->fault, (mf_fault_kind)stored, MF_STORE, page * PAGE, address, 1));
        }
    }
    mf_memory_destroy(m);
    puts("every page at its edges");
}

int main(void) {
    backend = MF_BACKEND_X86_PAGED;
    register_accessors();
    check_borders();
    check_last_bytes();
    check_33_bits();
    check_edges_of_pages();
    unregister_accessors();
    return 0;
}
