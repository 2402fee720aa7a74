/*
 * What a memory costs follows what was touched also where the host refuses to take pages back, has locked
 * them, or does not tell which were written: maps that end at 2^32, on both backends.
 *
 * RUN: %cc -D_GNU_SOURCE %s -o %t -Wl,--wrap=sysconf,--wrap=mmap,--wrap=munmap,--wrap=mprotect,--wrap=madvise,--wrap=mincore,--wrap=open,--wrap=pread,--wrap=syscall,--wrap=memfd_create %runtime
 * RUN: %t | FileCheck %s
 *
 * CHECK: copy: locked
 * CHECK-NEXT: copy: locked on an old kernel
 * CHECK-NEXT: copy: without a page map
 * CHECK-NEXT: x86_paged: locked
 * CHECK-NEXT: x86_paged: locked on an old kernel
 * CHECK-NEXT: x86_paged: without a page map
 * CHECK-NEXT: mlockall {{done|not permitted}}
 */
#include "../support.h"
#include "strange_host.h"

#define LIMIT_BYTES (20 << 20)

#ifndef MCL_ONFAULT
#define MCL_ONFAULT 4
#endif

static long resident_bytes(void) {
    long total_pages = 0, resident_pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    expect(file != NULL && fscanf(file, "%ld %ld", &total_pages, &resident_pages) == 2);
    fclose(file);
    return resident_pages * (long)REAL_PAGE_BYTES;
}

static void expect_costs_little(long before) {
    expect(resident_bytes() - before < LIMIT_BYTES);
}

static void live(void) {
    long before = resident_bytes();
    mf_memory *clone, *m = memory_of(&(mf_region){0, TOP, MF_READ_WRITE}, 1, (mf_heap){0});
    uint32_t low = 5, high = UINT32_MAX - 5;
    set_byte(m, low, 1);
    set_byte(m, high, 2);
    expect_ok(mf_memory_clone(m, &clone, NULL));
    expect(byte_at(clone, low) == 1 && byte_at(clone, high) == 2);
    expect_costs_little(before);
    expect_ok(mf_memory_reset(m, NULL));
    expect(byte_at(m, low) == 0 && byte_at(m, high) == 0);
    expect_costs_little(before);
    mf_status status = mf_memory_unmap(clone, 0, TOP, NULL);
    expect(status == MF_OK || (backend == MF_BACKEND_X86_PAGED && host.refuses_locked));
    expect_costs_little(before);
    mf_memory_destroy(clone);
    mf_memory_destroy(m);
}

static const strange_host hosts[] = {
    {.name = "locked", .refuses_drop = true},
    {.name = "locked on an old kernel", .refuses_drop = true, .refuses_locked = true},
    {.name = "without a page map", .has_no_page_map = true, .refuses_drop = true, .refuses_locked = true},
};

static void lock_for_real(void) {
    host = (strange_host){.page_bytes = REAL_PAGE_BYTES};
    if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) != 0) {
        puts("mlockall not permitted");
        return;
    }
    for (size_t b = 0; b < BACKEND_COUNT; b++) {
        backend = BACKENDS[b].backend;
        live();
    }
    puts("mlockall done");
}

int main(void) {
    for (size_t b = 0; b < BACKEND_COUNT; b++) {
        for (size_t h = 0; h < sizeof hosts / sizeof hosts[0]; h++) {
            backend = BACKENDS[b].backend;
            host = hosts[h];
            host.page_bytes = REAL_PAGE_BYTES;
            live();
            printf("%s: %s\n", BACKENDS[b].name, host.name);
            fflush(stdout);
        }
    }
    lock_for_real();
    return 0;
}
