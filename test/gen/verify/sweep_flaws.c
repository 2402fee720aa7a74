// A sweep says what is wrong with accessors that do too little, too much, or something else: one rule of the
// contract broken by each, and sixteen-byte neighbourhoods of edges suffice to see it.
//
// RUN: %cc %s -o %t %verify %runtime && %t | FileCheck %s
//
// CHECK: right: nothing
// CHECK-NEXT: one byte too late: load_u32 at 0x3ffd: the status is wrong
// CHECK-NEXT: sign: load_u8 at {{.*}}: the value is wrong
// CHECK-NEXT: no record: load_u8 at {{.*}}: the fault record is wrong
// CHECK-NEXT: a byte more: store_u16 at {{.*}}: guest bytes are wrong at
// CHECK-NEXT: far away: up to {{.*}}: guest bytes elsewhere have changed at
// CHECK-NEXT: rbx: load_u16 at {{.*}}: a callee-saved register or the direction flag has changed
// CHECK-NEXT: direction flag: load_u16 at {{.*}}: a callee-saved register or the direction flag has changed
// CHECK-NEXT: crash: load_i8 at {{.*}}: the process has ended
// CHECK-NEXT: endless: load_i16 at {{.*}}: the code has not come back (Virtual timer expired)
// CHECK-NEXT: two gibibytes above: load_u32 at {{.*}}: the
// CHECK-NEXT: a text: load_u32 at 0x3ffd: the status is wrong
// CHECK-NEXT: rdi 0x{{[0-9a-f]+}} rsi 0x{{[0-9a-f]+}}00003ffd rdx 0x{{[0-9a-f]+}} rcx 0x{{[0-9a-f]+}} heap_end 0x0
// CHECK-NEXT: the code: done, value 0x{{[0-9a-f]+}}
// CHECK-NEXT: the contract: page-fault, value 0x0, record 1 load page 0x4000 address 0x3ffd length 4
#include <memfold/generic.h>
#include <memfold/sweep.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Accessors that do something else than the generic ones ---- */

static const mf_accessors *right;

static mf_load_result load_too_late(mf_view *view, uint32_t address) {
    if (address == 0x3ffd)
        return (mf_load_result){view->base[address], MF_FAULT_NONE};
    return right->load_u32(view, address);
}

static mf_load_result load_by_sign(mf_view *view, uint32_t address) {
    mf_load_result loaded = right->load_u8(view, address);
    loaded.value = (uint64_t)(int64_t)(int8_t)loaded.value;
    return loaded;
}

static mf_load_result load_without_record(mf_view *view, uint32_t address) {
    mf_fault before = view->fault;
    mf_load_result loaded = right->load_u8(view, address);
    view->fault = before;
    return loaded;
}

static uint32_t store_more(mf_view *view, uint32_t address, uint64_t value) {
    uint32_t status = right->store_u16(view, address, value);
    if (status == MF_FAULT_NONE && address < 0x3000)
        view->base[address + 2] ^= 1;
    return status;
}

static mf_load_result load_and_destroy(mf_view *view, uint32_t address) {
    if (address >= 0x1000 && address < 0x2000)
        memcpy(view->base + 0x1800, "wrong", 5);
    return right->load_u64(view, address);
}

static mf_load_result load_and_clobber(mf_view *view, uint32_t address) {
    mf_load_result loaded = right->load_u16(view, address);
    __asm__ volatile("movl $1, %%ebx" ::: "cc");
    return loaded;
}

static mf_load_result load_backwards(mf_view *view, uint32_t address) {
    mf_load_result loaded = right->load_u16(view, address);
    __asm__ volatile("std" ::: "cc");
    return loaded;
}

static mf_load_result load_nowhere(mf_view *view, uint32_t address) {
    (void)view;
    mf_load_result loaded = {*(volatile uint32_t *)(uintptr_t)(address + 8), 0};
    return loaded;
}

static mf_load_result load_for_ever(mf_view *view, uint32_t address) {
    for (volatile bool is_over = false; !is_over;)
        ;
    return right->load_i16(view, address);
}

/* As if the address were not extended: the upper half of its register is somebody else's. */
static mf_load_result load_with_upper_half(mf_view *view, uint64_t address) {
    if (address >> 63 != 0)
        return right->load_u32(view, (uint32_t)address + 1);
    return right->load_u32(view, (uint32_t)address);
}

/* ---- Sweeps ---- */

static mf_sweep_report sweep(const mf_layout *layout, const mf_accessors *set) {
    const mf_memory_config config = {.huge_pages = MF_HUGE_PAGES_NEVER};
    const mf_sweep_request request = {.samples = 100, .seconds = 1};
    mf_sweep_report report;
    mf_memory *memory;
    mf_diag diag;
    if (mf_memory_create_with(layout, NULL, &config, &memory, &diag) ||
        mf_sweep_run(memory, set, NULL, &request, &report, &diag)) {
        printf("%s\n", diag.message);
        exit(1);
    }
    mf_memory_destroy(memory);
    return report;
}

static void print(const char *name, const mf_sweep_report *report, bool whole) {
    char text[2048];
    mf_sweep_print(report, text, sizeof text);
    if (!whole)
        text[strcspn(text, "\n")] = '\0';
    printf("%s: %s\n", name, report->flaw == MF_SWEEP_NO_FLAW ? "nothing" : text);
}

static void try(const mf_layout *layout, const char *name, const mf_accessors *set) {
    mf_sweep_report report = sweep(layout, set);
    print(name, &report, false);
}

static void try_load(const mf_layout *layout, const char *name, mf_load_fn *const *member, mf_load_fn *load) {
    mf_accessors set = *right;
    memcpy((char *)&set + ((const char *)member - (const char *)right), &load, sizeof load);
    try(layout, name, &set);
}

int main(void) {
    mf_layout_builder *builder = mf_layout_builder_create();
    mf_layout *layout;
    if (mf_layout_builder_map_region(builder, 0x1000, 0x3000, MF_READ_WRITE, NULL, 0, NULL) ||
        mf_layout_builder_finish(builder, &layout, NULL, NULL))
        return 1;
    right = mf_generic_accessors(NULL);
    mf_accessors more = *right;
    more.store_u16 = store_more;
    try(layout, "right", right);
    try_load(layout, "one byte too late", &right->load_u32, load_too_late);
    try_load(layout, "sign", &right->load_u8, load_by_sign);
    try_load(layout, "no record", &right->load_u8, load_without_record);
    try(layout, "a byte more", &more);
    try_load(layout, "far away", &right->load_u64, load_and_destroy);
    try_load(layout, "rbx", &right->load_u16, load_and_clobber);
    try_load(layout, "direction flag", &right->load_u16, load_backwards);
    try_load(layout, "crash", &right->load_i8, load_nowhere);
    try_load(layout, "endless", &right->load_i16, load_for_ever);
    try_load(layout, "two gibibytes above", &right->load_u32,
             (mf_load_fn *)(mf_accessor_fn *)load_with_upper_half);
    mf_accessors late = *right;
    late.load_u32 = load_too_late;
    mf_sweep_report report = sweep(layout, &late);
    print("a text", &report, true);
    mf_layout_release(layout);
    mf_layout_builder_destroy(builder);
    return 0;
}
