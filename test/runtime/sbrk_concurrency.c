/*
 * sbrk beside bulk accesses and generic accessors, on both backends: whatever they see is explained by a heap
 * end between the old and the new one, and what was there before sbrk is seen with the page.
 *
 * RUN: %cc %s %S/../lib/sbrk_beside.c %S/../lib/engines.c -o %t %runtime
 * RUN: env TSAN_OPTIONS=halt_on_error=1 %t | FileCheck %s
 *
 * CHECK: copy, status: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
 * CHECK-NEXT: copy, trap: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
 * CHECK-NEXT: x86_paged, status: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
 * CHECK-NEXT: x86_paged, trap: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
 */
#include "sbrk_beside.h"

#include <memfold/generic.h>

#include <stdio.h>

#define ROUNDS 30

static void run(mf_backend backend, mf_on_fault on_fault) {
    char name[64];
    mf_layout *layout = sbrk_beside_layout(on_fault == MF_ON_FAULT_TRAP);
    mf_memory *memory;
    mf_diag diag;
    snprintf(name, sizeof name, "%s, %s", backend == MF_BACKEND_COPY ? "copy" : "x86_paged",
             on_fault == MF_ON_FAULT_TRAP ? "trap" : "status");
    engines_must(mf_memory_create(layout, NULL, backend, &memory, &diag), &diag, "mf_memory_create");
    beside b = {.name = name,
                .memory = memory,
                .options = {.backend = backend, .on_fault = on_fault},
                .is_instrumented = true};
    b.set = mf_generic_accessors(&b.options);
    sbrk_beside_run(&b, ROUNDS);
    mf_memory_destroy(memory);
    mf_layout_release(layout);
}

int main(void) {
    for (mf_backend backend = MF_BACKEND_COPY; backend <= MF_BACKEND_X86_PAGED; backend++) {
        run(backend, MF_ON_FAULT_RETURN);
        run(backend, MF_ON_FAULT_TRAP);
    }
    return 0;
}
