// sbrk beside accessors of an emitted object: whatever they see is explained by a heap end between the old
// and the new one.
//
// RUN: %cc -DPRINT_LAYOUT %s %S/../../lib/sbrk_beside.c %S/../../lib/engines.c -o %t.layout %runtime
// RUN: %t.layout > %t.yaml
// RUN: %memfold emit %t.yaml --prefix=beside --emit=obj -o %t.o
// RUN: %memfold emit %t.yaml --prefix=beside_paged --backend=paged --emit=obj -o %t.paged.o
// RUN: %cc %s %S/../../lib/sbrk_beside.c %S/../../lib/engines.c %t.o %t.paged.o -o %t %runtime
// RUN: env TSAN_OPTIONS=halt_on_error=1 %t | FileCheck %s
//
// CHECK: copy: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: paged: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
#include "sbrk_beside.h"

#include <stdio.h>

#define ROUNDS 12

#ifdef PRINT_LAYOUT

int main(void) {
    mf_layout *layout = sbrk_beside_layout(true);
    puts("regions:");
    for (size_t i = 0; i < mf_layout_region_count(layout); i++) {
        mf_region region = mf_layout_region(layout, i);
        printf("  - { start: %llu, size: %llu, access: rw }\n", (unsigned long long)region.start,
               (unsigned long long)region.size);
    }
    mf_heap heap = mf_layout_heap(layout);
    printf("heap: { base: %u, max_pages: %u }\n", heap.base, heap.max_pages);
    mf_layout_release(layout);
    return 0;
}

#else

extern const mf_accessors beside_accessors;
extern const mf_accessors beside_paged_accessors;

static void run(const char *name, const mf_accessors *set, mf_backend backend) {
    mf_layout *layout = sbrk_beside_layout(true);
    mf_memory *memory;
    mf_diag diag = {.message = "of another layout"};
    engines_must(mf_memory_create(layout, NULL, backend, &memory, &diag), &diag, "mf_memory_create");
    engines_must(mf_accessors_fit(set, memory) ? MF_OK : MF_INVALID_ARGUMENT, &diag, "mf_accessors_fit");
    beside b = {.name = name, .memory = memory, .set = set, .options = {.backend = backend}};
    sbrk_beside_run(&b, ROUNDS);
    mf_memory_destroy(memory);
    mf_layout_release(layout);
}

int main(void) {
    run("copy", &beside_accessors, MF_BACKEND_COPY);
    run("paged", &beside_paged_accessors, MF_BACKEND_X86_PAGED);
    return 0;
}

#endif
