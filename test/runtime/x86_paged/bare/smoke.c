// RUN: %bare-cc %s -o %t && %boot %t | FileCheck %s
// CHECK: page 0x2000
#include "kernel.h"

#include <memfold/generic.h>
#include <memfold/memory.h>
#include <stdio.h>
#include <stdlib.h>

static void touch(mf_view *view, void *context) {
    *(volatile unsigned char *)(view->base + (uintptr_t)context) = 1;
}

int main(void) {
    static mf_diag diag;
    mf_memory *m;
    kernel.next_window.base = 0;
    mf_status status = mf_memory_create(NULL, NULL, MF_BACKEND_X86_PAGED, &m, &diag);
    if (status != MF_OK)
        puts(diag.message);
    CHECK(status == MF_OK);
    CHECK(mf_memory_map_region(m, 0x1000, 0x1000, MF_READ_WRITE, "abc", 3, NULL) == MF_OK);
    mf_fault fault;
    CHECK(mf_guard_run(mf_memory_view(m), touch, (void *)0x1004, &fault));
    CHECK(!mf_guard_run(mf_memory_view(m), touch, (void *)0x2004, &fault));
    printf("page 0x%lx\n", fault.page);
    mf_memory_destroy(m);
    CHECK(kernel.frames_taken == 0 && kernel.objects == 0 && kernel.windows == 0);
    return 0;
}
