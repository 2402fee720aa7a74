/*
 * Without address space creating, cloning and growing fail cleanly, and leave no
 * address space behind.
 *
 * RUN: %cc %s -o %t %runtime && %t | FileCheck %s
 *
 * CHECK: destroyed without a trace
 * CHECK-NEXT: created before, refused after
 * CHECK-NEXT: nothing left behind
 */
#include "../support.h"

#include <sys/resource.h>
#include <unistd.h>

static rlim_t address_space_bytes(void) {
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    expect(file != NULL && fscanf(file, "%lu", &pages) == 1);
    fclose(file);
    return pages * (rlim_t)sysconf(_SC_PAGESIZE);
}

/* Room for `bytes` more than there is now. */
static void limit_to(rlim_t bytes) {
    struct rlimit limit = {address_space_bytes() + bytes, RLIM_INFINITY};
    expect(setrlimit(RLIMIT_AS, &limit) == 0);
}

static void expect_refused(const mf_memory *m) {
    mf_memory *made = NULL;
    mf_diag diag = {0};
    expect(mf_memory_create(NULL, NULL, MF_BACKEND_COPY, &made, &diag) == MF_OUT_OF_MEMORY);
    expect(made == NULL && diag.status == MF_OUT_OF_MEMORY && diag.message[0] != '\0');
    expect(mf_memory_clone(m, &made, &diag) == MF_OUT_OF_MEMORY && made == NULL);
}

static void destroy_without_a_trace(void) {
    const mf_region region = {0, TOP, MF_READ_WRITE};
    rlim_t before = address_space_bytes();
    for (int i = 0; i < 20; i++) {
        mf_memory *m = memory_of(&region, 1, (mf_heap){0});
        mf_memory *clone;
        expect_ok(mf_memory_clone(m, &clone, NULL));
        mf_memory_destroy(m);
        mf_memory_destroy(clone);
    }
    expect(address_space_bytes() - before < 1 << 24);
}

int main(void) {
    destroy_without_a_trace();
    puts("destroyed without a trace");
    const mf_region region = {0, 4 * PAGE, MF_READ_WRITE};
    mf_memory *m = memory_of(&region, 1, (mf_heap){0});
    mf_memory *clone;
    set_byte(m, 1, 1);
    expect_ok(mf_memory_clone(m, &clone, NULL));
    mf_memory_destroy(clone);
    /* Neither the table nor the space fits; then the table alone does. */
    limit_to(1 << 20);
    expect_refused(m);
    limit_to(1 << 30);
    expect_refused(m);
    puts("created before, refused after");
    rlim_t before = address_space_bytes();
    for (int i = 0; i < 2000; i++)
        expect_refused(m);
    expect(address_space_bytes() - before < 1 << 20);
    set_byte(m, 2, 2);
    expect(byte_at(m, 1) == 1 && byte_at(m, 2) == 2);
    mf_memory_destroy(m);
    puts("nothing left behind");
    return 0;
}
