// A fault block as inline.h shows it leaves the record that the contract says, and the registers: on both
// backends, for 32-bit indices with anything in the upper half of the register, 33-bit ones, and the bounds
// policy.
//
// RUN: %cc %s %S/lib/cpu.c %S/lib/place.c -o %t %inline && %t | FileCheck %s
//
// CHECK: copy: {{[1-9][0-9]*}} faults, 0 differ
// CHECK-NEXT: x86_paged: {{[1-9][0-9]*}} faults, 0 differ

#include "lib/cpu.h"
#include "lib/place.h"
#include "random.h"

#include <memfold/memory.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static random_source source = {3};

/* ---- The block ---- */

typedef struct block {
    bool widens;
    uint64_t access;
    uint64_t limit;
} block;

/*
 * mov rdi, rbx; mov esi, esi; mov rdx, access; mov rcx, limit; sub rsp, 8; mov rax, entry; call rax; add rsp,
 * 8; jmp out: the view is in rbx, the index in rsi, and the stack of cpu.c is 8 bytes from where a call wants
 * it.
 */
static void write_block(unsigned char *at, const block *b) {
    static const unsigned char HEAD[] = {0x48, 0x89, 0xdf, 0x89, 0xf6};
    static const unsigned char CALL[] = {0xff, 0xd0, 0x48, 0x83, 0xc4, 0x08, 0xff, 0x25, 0, 0, 0, 0};
    uint32_t (*entry)(mf_view *, uint64_t, uint64_t, uint64_t) = mf_rt_fault_v3;
    uintptr_t out = cpu_exit_address(CPU_FAULT);
    memcpy(at, HEAD, sizeof HEAD);
    if (!b->widens)
        memset(at + 3, 0x90, 2);
    memcpy(at + 5, "\x48\xba", 2);
    memcpy(at + 7, &b->access, 8);
    memcpy(at + 15, "\x48\xb9", 2);
    memcpy(at + 17, &b->limit, 8);
    memcpy(at + 25, "\x48\x83\xec\x08\x48\xb8", 6);
    memcpy(at + 31, &entry, 8);
    memcpy(at + 39, CALL, sizeof CALL);
    memcpy(at + 39 + sizeof CALL, &out, 8);
}

/* ---- The contract ---- */

static mf_perm perm_at(const mf_view *view, uint64_t index) {
    return index >= MF_SPACE_BYTES ? MF_PERM_NONE : (mf_perm)view->perms[index >> MF_PAGE_LOG2];
}

/* All zero if the access is allowed. */
static mf_fault fault_of(const mf_view *view, const mf_plan *plan, uint64_t index) {
    for (uint64_t i = index; i < index + plan->width_bytes; i++) {
        mf_perm perm = perm_at(view, i);
        bool is_store = plan->operation == MF_STORE;
        bool allowed =
            plan->limit > 0 ? i < plan->limit : perm == MF_PERM_RW || (perm == MF_PERM_RO && !is_store);
        bool is_protected = plan->limit == 0 && perm == MF_PERM_RO;
        if (!allowed)
            return (mf_fault){.kind = is_protected ? MF_WRITE_PROTECTED : MF_PAGE_FAULT,
                              .operation = plan->operation,
                              .page = i & ~(uint64_t)(MF_PAGE_SIZE - 1),
                              .address = index,
                              .length = plan->width_bytes};
    }
    return (mf_fault){0};
}

/* ---- One access ---- */

static unsigned long faults, differences;

/* All but rax and r11, the four that the block writes, and the scratch register r8. */
static bool keeps(uint32_t number) {
    static const bool CHANGED[16] = {[0] = true, [1] = true, [2] = true, [CPU_RSP] = true,
                                     [6] = true, [7] = true, [8] = true, [11] = true};
    return !CHANGED[number];
}

static void compare(mf_view *view, const mf_plan *plan, const place *p, uint64_t index) {
    cpu_state before, after;
    for (uint32_t i = 0; i < 16; i++)
        before.registers[i] = random_u64(&source);
    before.flags = 0;
    before.registers[3] = (uintptr_t)view;
    before.registers[6] = plan->index == MF_INDEX_U32 ? index | random_u64(&source) << 32 : index;
    before.registers[7] = (uintptr_t)view->base;
    mf_fault wanted = fault_of(view, plan, index);
    view->fault = (mf_fault){0};
    cpu_exit exit = cpu_run(p->run, &before, &after);
    bool is_same = (exit == CPU_FAULT) == (wanted.kind != 0) &&
                   memcmp(&wanted, &view->fault, sizeof wanted) == 0 && after.registers[CPU_RSP] == 0;
    if (wanted.kind != 0)
        is_same = is_same && (uint32_t)after.registers[0] == wanted.kind;
    for (uint32_t i = 0; wanted.kind != 0 && i < 16; i++)
        is_same = is_same && (!keeps(i) || after.registers[i] == before.registers[i]);
    faults += wanted.kind != 0;
    differences += !is_same;
}

static void compare_edges(mf_view *view, const mf_plan *plan, const place *p) {
    for (uint64_t page = 0; page < 6; page++)
        for (uint64_t delta = 0; delta < 18; delta++) {
            uint64_t index = (page << MF_PAGE_LOG2) + delta - 9;
            if (index >= MF_SPACE_BYTES)
                continue;
            compare(view, plan, p, index);
            if (plan->index == MF_INDEX_U33)
                compare(view, plan, p, MF_SPACE_BYTES - 5 + index);
        }
}

/* ---- All accesses ---- */

static void run(mf_memory *memory, const mf_layout *layout, mf_accessor_options options) {
    static const mf_inline_registers REGISTERS = {
        .base = MF_RDI, .index = MF_RSI, .value = MF_R9, .view = MF_RBX, .scratch = {MF_R8, MF_NO_REGISTER}};
    for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++) {
        place p = place_take();
        mf_plan plan;
        mf_inline_result result;
        if (mf_plan_make(layout, id, &options, &plan, NULL) != MF_OK ||
            mf_inline_emit(&plan, NULL, &REGISTERS, p.write, MF_INLINE_BYTES_MAX, &result, NULL) != MF_OK)
            abort();
        place_finish(&p, &result);
        block b = {options.index == MF_INDEX_U32, MF_ACCESS_CODE(plan.operation, plan.width_bytes),
                   plan.limit};
        write_block(p.write + place_fault_distance(), &b);
        bool is_paged = options.backend == MF_BACKEND_X86_PAGED;
        const mf_exception_entry *entry = is_paged ? place_register(&p, &result) : NULL;
        compare_edges(mf_memory_view(memory), &plan, &p);
        if (entry != NULL)
            mf_exception_table_unregister(entry);
    }
}

static void run_backend(mf_backend backend, const char *name) {
    mf_layout_builder *builder = mf_layout_builder_create();
    mf_layout *layout;
    mf_memory *memory;
    if (mf_layout_builder_map_region(builder, 0x1000, 0x1000, MF_READ_ONLY, NULL, 0, NULL) != MF_OK ||
        mf_layout_builder_map_region(builder, 0x2000, 0x1000, MF_READ_WRITE, NULL, 0, NULL) != MF_OK ||
        mf_layout_builder_map_region(builder, 0x3000, 0x1000, MF_READ_ONLY, NULL, 0, NULL) != MF_OK ||
        mf_layout_builder_finish(builder, &layout, NULL, NULL) != MF_OK ||
        mf_memory_create(layout, NULL, backend, &memory, NULL) != MF_OK)
        abort();
    mf_layout_builder_destroy(builder);
    for (mf_index index = MF_INDEX_U32; index <= MF_INDEX_U33; index++) {
        run(memory, layout, (mf_accessor_options){.backend = backend, .index = index});
        if (backend == MF_BACKEND_COPY)
            run(memory, layout, (mf_accessor_options){.policy = MF_POLICY_BOUNDS, .index = index});
    }
    printf("%s: %lu faults, %lu differ\n", name, faults, differences);
    faults = differences = 0;
    mf_memory_destroy(memory);
    mf_layout_release(layout);
}

int main(void) {
    run_backend(MF_BACKEND_COPY, "copy");
    run_backend(MF_BACKEND_X86_PAGED, "x86_paged");
    return 0;
}
