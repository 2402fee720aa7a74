// What cannot be written is refused with its reason, and nothing is written then: plans, options, registers
// and room.
//
// RUN: %cc %s -o %t %inline && %t | FileCheck %s --match-full-lines --implicit-check-not=NOT

#include <memfold/inline.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const mf_inline_registers ALL = {.base = MF_RDI,
                                        .index = MF_RSI,
                                        .value = MF_RAX,
                                        .view = MF_RBX,
                                        .table = MF_RBP,
                                        .scratch = {MF_RCX, MF_RDX}};

static mf_layout *make_layout(bool has_two) {
    mf_layout_builder *builder = mf_layout_builder_create();
    mf_layout *layout;
    if (mf_layout_builder_map_region(builder, 0x20000, 0x8000, MF_READ_WRITE, NULL, 0, NULL) != MF_OK ||
        (has_two &&
         mf_layout_builder_map_region(builder, 0x40000, 0x8000, MF_READ_WRITE, NULL, 0, NULL) != MF_OK) ||
        mf_layout_builder_finish(builder, &layout, NULL, NULL) != MF_OK)
        abort();
    mf_layout_builder_destroy(builder);
    return layout;
}

static mf_plan plan_of(mf_accessor_id id, const mf_accessor_options *options) {
    mf_layout *layout = make_layout(options != NULL && options->strategy != MF_STRATEGY_AUTO);
    mf_plan plan;
    if (mf_plan_make(layout, id, options, &plan, NULL) != MF_OK)
        abort();
    mf_layout_release(layout);
    return plan;
}

static void attempt(const char *what, const mf_plan *plan, const mf_inline_options *options,
                    const mf_inline_registers *registers, size_t room_bytes) {
    unsigned char buffer[MF_INLINE_BYTES_MAX], untouched[MF_INLINE_BYTES_MAX];
    mf_inline_result result, unwritten;
    mf_diag diag;
    memset(buffer, 0x5a, sizeof buffer);
    memset(untouched, 0x5a, sizeof untouched);
    memset(&result, 0x5a, sizeof result);
    memset(&unwritten, 0x5a, sizeof unwritten);
    mf_status status = mf_inline_emit(plan, options, registers, buffer, room_bytes, &result, &diag);
    if (status == MF_OK) {
        printf("%s: %u bytes\n", what, result.byte_count);
        return;
    }
    printf("%s: %s, %s\n", what, mf_status_name(status), diag.message);
    if (memcmp(buffer, untouched, sizeof buffer) != 0 || memcmp(&result, &unwritten, sizeof result) != 0)
        printf("NOT left as it was\n");
}

/* ---- Registers ---- */

static void attempt_registers(void) {
    mf_plan load = plan_of(MF_LOAD_U32, NULL), store = plan_of(MF_STORE_U32, NULL);
    mf_inline_registers r;
#define WITH(plan, what, field, reg)                                                                         \
    r = ALL;                                                                                                 \
    r.field = (mf_register)(reg);                                                                            \
    attempt(what, plan, NULL, &r, MF_INLINE_BYTES_MAX)

    // CHECK: no base: invalid-argument, the plan needs a register for base
    WITH(&load, "no base", base, MF_NO_REGISTER);
    // CHECK-NEXT: no index: invalid-argument, the plan needs a register for index
    WITH(&load, "no index", index, MF_NO_REGISTER);
    // CHECK-NEXT: no value: invalid-argument, the plan needs a register for value
    WITH(&load, "no value", value, MF_NO_REGISTER);
    // CHECK-NEXT: no scratch: invalid-argument, the plan needs a register for scratch[0]
    WITH(&load, "no scratch", scratch[0], MF_NO_REGISTER);
    // CHECK-NEXT: rsp: invalid-argument, value cannot be rsp
    WITH(&load, "rsp", value, MF_RSP);
    // CHECK-NEXT: none: invalid-argument, index is no register: 17
    WITH(&load, "none", index, 17);
    // CHECK-NEXT: negative: invalid-argument, base is no register: -1
    WITH(&load, "negative", base, -1);
    // CHECK-NEXT: scratch is base: invalid-argument, scratch[0] is the same register as base
    WITH(&load, "scratch is base", scratch[0], MF_RDI);
    // CHECK-NEXT: scratch is index: invalid-argument, scratch[0] is the same register as index
    WITH(&load, "scratch is index", scratch[0], MF_RSI);
    // CHECK-NEXT: scratch is stored: invalid-argument, scratch[0] is the same register as value
    WITH(&store, "scratch is stored", scratch[0], MF_RAX);
    // CHECK-NEXT: scratch is loaded: 22 bytes
    WITH(&load, "scratch is loaded", scratch[0], MF_RAX);
    // CHECK-NEXT: value is index: 23 bytes
    WITH(&load, "value is index", value, MF_RSI);
    // CHECK-NEXT: what is not needed is not looked at: 23 bytes
    WITH(&load, "what is not needed is not looked at", view, MF_RSP);
}

static void attempt_second_registers(void) {
    mf_accessor_options options = {.strategy = MF_STRATEGY_GRANULE_BITMAP};
    mf_plan bitmap = plan_of(MF_LOAD_U8, &options);
    options.strategy = MF_STRATEGY_PERM_TABLE;
    mf_plan perms = plan_of(MF_LOAD_U8, &options);
    mf_inline_registers r;
    // CHECK-NEXT: scratches: invalid-argument, scratch[1] is the same register as scratch[0]
    WITH(&bitmap, "scratches", scratch[1], MF_RCX);
    // CHECK-NEXT: scratch is table: invalid-argument, scratch[1] is the same register as table
    WITH(&bitmap, "scratch is table", scratch[1], MF_RBP);
    // CHECK-NEXT: no table: invalid-argument, the plan needs a register for table
    WITH(&bitmap, "no table", table, MF_NO_REGISTER);
    // CHECK-NEXT: no view: invalid-argument, the plan needs a register for view
    WITH(&perms, "no view", view, MF_NO_REGISTER);
}

/* ---- Room ---- */

static void attempt_rooms(void) {
    mf_plan load = plan_of(MF_LOAD_U32, NULL);
    // CHECK-NEXT: no room: invalid-argument, the code has 23 bytes, and there is room for 0
    attempt("no room", &load, NULL, &ALL, 0);
    // CHECK-NEXT: a byte less: invalid-argument, the code has 23 bytes, and there is room for 22
    attempt("a byte less", &load, NULL, &ALL, 22);
    // CHECK-NEXT: just enough: 23 bytes
    attempt("just enough", &load, NULL, &ALL, 23);
}

/* ---- Options ---- */

static void attempt_options(void) {
    mf_plan load = plan_of(MF_LOAD_U32, NULL);
    mf_inline_options options = {.endian = (mf_endian)2};
    // CHECK-NEXT: endian: invalid-argument, option endian has no value 2
    attempt("endian", &load, &options, &ALL, MF_INLINE_BYTES_MAX);
    options = (mf_inline_options){.base_address = 1};
    // CHECK-NEXT: base address: invalid-argument, a base address needs base_is_constant
    attempt("base address", &load, &options, &ALL, MF_INLINE_BYTES_MAX);
    options = (mf_inline_options){.base_is_constant = true, .base_address = 0x80000000};
    // CHECK-NEXT: high base: invalid-argument, a constant base lies below 2^31; hold 0x80000000 in a register
    attempt("high base", &load, &options, &ALL, MF_INLINE_BYTES_MAX);
    options = (mf_inline_options){.fault_target = 1};
    // CHECK-NEXT: target: invalid-argument, a fault target needs has_fault_target
    attempt("target", &load, &options, &ALL, MF_INLINE_BYTES_MAX);
    options = (mf_inline_options){.has_fault_target = true, .fault_target = INT64_C(1) << 31};
    // CHECK-NEXT: far: invalid-argument, the fault target is out of reach of a jump
    attempt("far", &load, &options, &ALL, MF_INLINE_BYTES_MAX);
    options.fault_target = INT32_MAX - MF_INLINE_BYTES_MAX;
    // CHECK-NEXT: reachable: 23 bytes
    attempt("reachable", &load, &options, &ALL, MF_INLINE_BYTES_MAX);
    options.fault_target = -100;
    // CHECK-NEXT: near: 19 bytes
    attempt("near", &load, &options, &ALL, MF_INLINE_BYTES_MAX);
}

/* ---- Plans ---- */

static void attempt_plans(void) {
    mf_layout *layout = make_layout(false);
    mf_plan plan;
    mf_inline_options options = {.check_only = true};
    if (mf_plan_make_range(layout, MF_LOAD, NULL, &plan, NULL) != MF_OK)
        abort();
    // CHECK-NEXT: range: invalid-argument, the plan is of no access
    attempt("range", &plan, NULL, &ALL, MF_INLINE_BYTES_MAX);
    // CHECK-NEXT: range alone: invalid-argument, the plan is of no access
    attempt("range alone", &plan, &options, &ALL, MF_INLINE_BYTES_MAX);
    mf_plan_access access = {.operation = MF_STORE, .width_bytes = 16, .in_software = true};
    if (mf_plan_make_access(layout, &access, NULL, &plan, NULL) != MF_OK)
        abort();
    // CHECK-NEXT: vector: invalid-argument, the plan is of no accessor: of an access of your own the check stands alone
    attempt("vector", &plan, NULL, &ALL, MF_INLINE_BYTES_MAX);
    // CHECK-NEXT: vector alone: 20 bytes
    attempt("vector alone", &plan, &options, &ALL, MF_INLINE_BYTES_MAX);
    mf_accessor_options masked = {.spectre = MF_SPECTRE_MASK, .strategy = MF_STRATEGY_GRANULE_BITMAP};
    plan = plan_of(MF_LOAD_U32, &masked);
    options = (mf_inline_options){.table_address = 0x80000000};
    // CHECK-NEXT: mask: invalid-argument, a mask of the check granule-bitmap needs a register for the table, or an address below 2^31
    attempt("mask", &plan, &options, &ALL, MF_INLINE_BYTES_MAX);
    memset(&plan, 0, sizeof plan);
    // CHECK-NEXT: empty: invalid-argument, the plan is of no access
    attempt("empty", &plan, NULL, &ALL, MF_INLINE_BYTES_MAX);
    mf_layout_release(layout);
}

int main(void) {
    attempt_registers();
    attempt_second_registers();
    attempt_rooms();
    attempt_options();
    attempt_plans();
    return 0;
}
