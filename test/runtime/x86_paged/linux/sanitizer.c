/*
 * Under AddressSanitizer its handler was there first: guest faults are recovered, others are reported by it.
 *
 * REQUIRES: sanitize-address
 * RUN: %cc -D_GNU_SOURCE %s -o %t %runtime && not %t 2>&1 | FileCheck %s
 *
 * CHECK: recovered
 * CHECK: ERROR: AddressSanitizer: SEGV on unknown address 0x000000000{{[0-9a-f]+}}
 * CHECK: dereference_null
 */
#include "asm_accessors.h"
#include "host.h"

static void touch(mf_view *view, void *context) {
    (void)context;
    *(volatile unsigned char *)(view->base + 5 * PAGE) = 1;
}

static void dereference_null(void) {
    *(volatile unsigned char *)(uintptr_t)strlen("") = 1;
}

int main(void) {
    backend = MF_BACKEND_X86_PAGED;
    mf_memory *m = memory_of(NULL, 0, (mf_heap){0});
    register_accessors();
    for (int i = 0; i < 1000; i++) {
        expect(asm_load_u32(mf_memory_view(m), PAGE).status == MF_PAGE_FAULT);
        expect(!mf_guard_run(mf_memory_view(m), touch, NULL, NULL));
    }
    puts("recovered");
    fflush(stdout);
    dereference_null();
    return 0;
}
