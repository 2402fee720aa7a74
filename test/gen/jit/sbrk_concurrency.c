// sbrk beside generated accessors, by every check that a growing heap can have, and by the MMU: whatever they
// see is explained by a heap end between the old and the new one.
//
// RUN: %cc %s %S/../../lib/sbrk_beside.c %S/../../lib/engines.c -o %t %gen
// RUN: env TSAN_OPTIONS=halt_on_error=1 %t | FileCheck %s
//
// CHECK: heap: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: heap below a window: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: immediate bitmap: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: granule table: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: granule bitmap: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: perm-table: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: perm-table, trap: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: heap, masked: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: paged: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: paged, trap: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
#include "sbrk_beside.h"

#include <memfold/jit.h>

#define ROUNDS 12

typedef struct row {
    const char *name;
    bool above;
    mf_accessor_options options;
} row;

static const row ROWS[] = {
    {"heap", false, {.strategy = MF_STRATEGY_HEAP}},
    {"heap below a window", true, {.strategy = MF_STRATEGY_HEAP}},
    {"immediate bitmap", true, {.strategy = MF_STRATEGY_IMMEDIATE_BITMAP}},
    {"granule table", true, {.strategy = MF_STRATEGY_GRANULE_TABLE}},
    {"granule bitmap", true, {.strategy = MF_STRATEGY_GRANULE_BITMAP}},
    {"perm-table", true, {.strategy = MF_STRATEGY_PERM_TABLE}},
    {"perm-table, trap", true, {.strategy = MF_STRATEGY_PERM_TABLE, .on_fault = MF_ON_FAULT_TRAP}},
    {"heap, masked", false, {.strategy = MF_STRATEGY_HEAP, .spectre = MF_SPECTRE_MASK}},
    {"paged", false, {.backend = MF_BACKEND_X86_PAGED}},
    {"paged, trap", true, {.backend = MF_BACKEND_X86_PAGED, .on_fault = MF_ON_FAULT_TRAP}},
};

static void run(mf_jit *jit, const row *r) {
    mf_layout *layout = sbrk_beside_layout(r->above);
    mf_memory *memory;
    mf_code *code;
    mf_diag diag;
    engines_must(mf_memory_create(layout, NULL, r->options.backend, &memory, &diag), &diag, "create");
    engines_must(mf_jit_get(jit, layout, &r->options, &code, &diag), &diag, r->name);
    beside b = {.name = r->name, .memory = memory, .set = mf_code_accessors(code), .options = r->options};
    sbrk_beside_run(&b, ROUNDS);
    mf_code_release(code);
    mf_memory_destroy(memory);
    mf_layout_release(layout);
}

int main(void) {
    mf_jit *jit;
    mf_diag diag;
    engines_must(mf_jit_create(NULL, &jit, &diag), &diag, "mf_jit_create");
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++)
        run(jit, &ROWS[i]);
    mf_jit_destroy(jit);
    return 0;
}
