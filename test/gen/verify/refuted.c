/*
 * Right code for another layout or under other options is refuted, and the counterexample shows it: executed,
 * the code does something else than the reference. What is right for every layout is proved for another one.
 *
 * RUN: %cc -D_GNU_SOURCE -I%source/gen -I%S/lib %s %S/lib/rerun.c %S/../../lib/reference.c -o %t %verify %gen && %t | FileCheck %s
 *
 * CHECK: a page more above, load_u32: refuted, goes on although the access is not allowed, seen
 * CHECK-NEXT: a page less above, load_u32: refuted, faults although the access is allowed, seen
 * CHECK-NEXT: a page more below, store_u64: refuted, goes on although the access is not allowed, seen
 * CHECK-NEXT: read-only instead of writable, store_u8: refuted, goes on although the access is not allowed, seen
 * CHECK-NEXT: read-only instead of writable, load_u8: proved
 * CHECK-NEXT: a heap of a page more, load_u16: proved
 * CHECK-NEXT: a granule more in the table, load_u8: refuted, goes on although the access is not allowed, seen
 * CHECK-NEXT: a granule less in the bitmap, store_u32: refuted, faults although the access is allowed, seen
 * CHECK-NEXT: one of 4096 regions more, load_u8: refuted, goes on although the access is not allowed, seen
 * CHECK-NEXT: the live permissions of another layout, store_u64: proved
 * CHECK-NEXT: paged of another layout, load_u64: proved
 * CHECK-NEXT: the other byte order, load_u16: refuted, returns another value, seen
 * CHECK-NEXT: the other byte order, store_u32: refuted, stores another value, seen
 * CHECK-NEXT: the other byte order, load_u8: proved
 * CHECK-NEXT: u33 for u32, load_u8: refuted, {{.*}}, seen
 * CHECK-NEXT: u32 for u33, store_u16: refuted, {{.*}}, seen
 * CHECK-NEXT: no mask, load_u32: refuted, does not mask the address of a mispredicted access, speculative
 * CHECK-NEXT: a mask that nobody asked for, load_u32: proved
 * CHECK-NEXT: trap for return, load_u8: refuted, {{.*}}, seen
 * CHECK-NEXT: return for trap, store_u8: refuted, {{.*}}, seen
 * CHECK-NEXT: base of the argument for the view's, load_u8: refuted, {{.*}}, seen
 * CHECK-NEXT: another constant base, store_u64: refuted, accesses another address
 * CHECK-NEXT: no comparison of layouts, load_u8: refuted, does not notice another layout, seen
 * CHECK-NEXT: a comparison that nobody asked for, load_u8: proved
 * CHECK-NEXT: bounds for permissions, load_u64: refuted, {{.*}}
 * CHECK-NEXT: permissions for bounds, store_u64: refuted, {{.*}}
 * CHECK-NEXT: none for permissions, load_i32: refuted, goes on although the access is not allowed, seen
 * CHECK-NEXT: with 1 MiB: not proved: the solver does not answer within its limits
 */
#include "verify/code.h"

#include "rerun.h"
#include "written.h"

#include <string.h>

/* What code is made for, and what it is held to: layouts and options. */
typedef struct subject {
    scene scene;
    mf_accessor_options options;
} subject;

static void make_code(const subject *s, written *w) {
    mf_layout *layout = scene_layout(&s->scene);
    written_init(w, layout, &s->options);
    mf_layout_release(layout);
}

/* The words before the colon: what is wrong. */
static void print_refuted(const subject *held, const mf_layout *layout, const written *code,
                          const mf_verify_result *result) {
    const mf_counterexample *e = &result->counterexample;
    mf_accessor_fn *function = mf_accessors_member(&code->accessors, result->id);
    bool can_run = held->options.base != MF_BASE_CONSTANT;
    printf("refuted, %.*s", (int)strcspn(e->did, ":"), e->did);
    if (e->is_speculative)
        printf(", speculative\n");
    else if (!can_run)
        printf("\n");
    else
        printf(", %s\n", rerun_differs(function, layout, &held->options, result) ? "seen" : "not seen");
}

static void check(const char *name, const subject *made, const subject *held, mf_accessor_id id) {
    written code;
    make_code(made, &code);
    mf_layout *layout = scene_layout(&held->scene);
    static mf_verify_report report;
    scene_must(mf_verify_accessors(layout, &held->options, &code.subject, NULL, &report, NULL) == MF_OK,
               "mf_verify_accessors");
    const mf_verify_result *result = &report.results[id];
    printf("%s, %s: ", name, mf_accessor_info_get(id)->name);
    if (result->verdict == MF_VERDICT_REFUTED)
        print_refuted(held, layout, &code, result);
    else
        printf("%s%s%s\n", mf_verdict_name(result->verdict),
               result->verdict == MF_VERDICT_NOT_PROVED ? ": " : "", result->reason);
    fflush(stdout);
    mf_layout_release(layout);
    written_fini(&code);
}

/* ---- Other layouts ---- */

static scene window(uint64_t start, uint64_t size, mf_access access) {
    return (scene){.regions = {{start, size, access}, {0x80000, 0x10000, MF_READ_ONLY}}};
}

static scene with_heap(uint64_t pages) {
    return (scene){.regions = {{0x10000, 0x1000, MF_READ_WRITE}}, .heap_base = 0x20000, .heap_pages = pages};
}

static scene many(unsigned count) {
    return (scene){.regions = {{0x8000, 0x8000, MF_READ_WRITE},
                               {0x8000, 0x8000, MF_READ_WRITE},
                               {0x8000, 0x8000, MF_READ_ONLY}},
                   .count = count,
                   .distance = 0x10000};
}

static void check_layouts(const char *name, scene made, scene held, mf_accessor_options options,
                          mf_accessor_id id) {
    const subject a = {made, options};
    const subject b = {held, options};
    check(name, &a, &b, id);
}

static void check_other_layouts(void) {
    const mf_accessor_options plain = {0};
    const mf_accessor_options table = {.strategy = MF_STRATEGY_GRANULE_TABLE};
    const mf_accessor_options bitmap = {.strategy = MF_STRATEGY_GRANULE_BITMAP};
    const mf_accessor_options perms = {.strategy = MF_STRATEGY_PERM_TABLE, .stale = MF_STALE_CHECK};
    const mf_accessor_options paged = {.backend = MF_BACKEND_X86_PAGED, .stale = MF_STALE_CHECK};
    const scene right = window(0x20000, 0x8000, MF_READ_WRITE);
    check_layouts("a page more above", window(0x20000, 0x9000, MF_READ_WRITE), right, plain, MF_LOAD_U32);
    check_layouts("a page less above", window(0x20000, 0x7000, MF_READ_WRITE), right, plain, MF_LOAD_U32);
    check_layouts("a page more below", window(0x1f000, 0x9000, MF_READ_WRITE), right, plain, MF_STORE_U64);
    scene read_only = window(0x20000, 0x8000, MF_READ_ONLY);
    check_layouts("read-only instead of writable", right, read_only, plain, MF_STORE_U8);
    check_layouts("read-only instead of writable", right, read_only, plain, MF_LOAD_U8);
    check_layouts("a heap of a page more", with_heap(9), with_heap(8), plain, MF_LOAD_U16);
    check_layouts("a granule more in the table", many(17), many(16), table, MF_LOAD_U8);
    check_layouts("a granule less in the bitmap", many(15), many(17), bitmap, MF_STORE_U32);
    check_layouts("one of 4096 regions more", many(4096), many(4095), table, MF_LOAD_U8);
    check_layouts("the live permissions of another layout", many(9), many(8), perms, MF_STORE_U64);
    check_layouts("paged of another layout", many(9), many(8), paged, MF_LOAD_U64);
}

/* ---- Other options ---- */

static void check_options(const char *name, mf_accessor_options made, mf_accessor_options held,
                          mf_accessor_id id) {
    const scene right = window(0x20000, 0x8000, MF_READ_WRITE);
    const subject a = {right, made};
    const subject b = {right, held};
    check(name, &a, &b, id);
}

static void check_other_options(void) {
    const mf_accessor_options plain = {0};
    const mf_accessor_options big = {.endian = MF_BIG_ENDIAN};
    const mf_accessor_options u33 = {.index = MF_INDEX_U33};
    const mf_accessor_options mask = {.spectre = MF_SPECTRE_MASK};
    const mf_accessor_options trap = {.on_fault = MF_ON_FAULT_TRAP};
    const mf_accessor_options argument = {.base = MF_BASE_ARGUMENT};
    const mf_accessor_options at_1 = {.base = MF_BASE_CONSTANT, .base_address = 0x10000000000};
    const mf_accessor_options at_2 = {.base = MF_BASE_CONSTANT, .base_address = 0x10000000001};
    const mf_accessor_options stale = {.stale = MF_STALE_CHECK};
    const mf_accessor_options bounds = {.policy = MF_POLICY_BOUNDS};
    const mf_accessor_options none = {.policy = MF_POLICY_NONE};
    check_options("the other byte order", plain, big, MF_LOAD_U16);
    check_options("the other byte order", big, plain, MF_STORE_U32);
    check_options("the other byte order", plain, big, MF_LOAD_U8);
    check_options("u33 for u32", u33, plain, MF_LOAD_U8);
    check_options("u32 for u33", plain, u33, MF_STORE_U16);
    check_options("no mask", plain, mask, MF_LOAD_U32);
    check_options("a mask that nobody asked for", mask, plain, MF_LOAD_U32);
    check_options("trap for return", trap, plain, MF_LOAD_U8);
    check_options("return for trap", plain, trap, MF_STORE_U8);
    check_options("base of the argument for the view's", argument, plain, MF_LOAD_U8);
    check_options("another constant base", at_1, at_2, MF_STORE_U64);
    check_options("no comparison of layouts", plain, stale, MF_LOAD_U8);
    check_options("a comparison that nobody asked for", stale, plain, MF_LOAD_U8);
    check_options("bounds for permissions", bounds, plain, MF_LOAD_U64);
    check_options("permissions for bounds", plain, bounds, MF_STORE_U64);
    check_options("none for permissions", none, plain, MF_LOAD_I32);
}

/* ---- Limits ---- */

/* A solver that may use next to no memory does not answer, and nothing is proved then. */
static void check_limits(void) {
    const subject s = {many(16), {.strategy = MF_STRATEGY_IMMEDIATE_BITMAP}};
    written code;
    make_code(&s, &code);
    mf_layout *layout = scene_layout(&s.scene);
    const mf_verify_limits limits = {.memory_mib = 1};
    static mf_verify_report report;
    scene_must(mf_verify_accessors(layout, &s.options, &code.subject, &limits, &report, NULL) == MF_OK,
               "mf_verify_accessors");
    printf("with 1 MiB: %s: %s\n", mf_verdict_name(report.results[MF_STORE_U64].verdict),
           report.results[MF_STORE_U64].reason);
    mf_layout_release(layout);
    written_fini(&code);
}

int main(void) {
    check_other_layouts();
    check_other_options();
    check_limits();
    return 0;
}
