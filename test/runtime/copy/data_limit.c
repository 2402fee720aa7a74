/*
 * Past the limit on data (RLIMIT_DATA) creating, mapping and cloning fail cleanly; what reaches less far
 * works.
 *
 * RUN: %cc %s -o %t %runtime && %t | FileCheck %s
 *
 * What a sanitizer keeps beside each byte counts as data, too.
 * UNSUPPORTED: sanitizer
 *
 * CHECK: data is limited to what the layout reaches
 */
#include "../support.h"

#include <sys/resource.h>

/* The limit counts all that may be written, so it allows memories by how far they reach. */
static void limit_data(void) {
    const mf_region low = {0, 4 * PAGE, MF_READ_WRITE}, high = {0xfffff000, PAGE, MF_READ_WRITE};
    struct rlimit before, limit;
    mf_memory *made = NULL, *m = memory_of(&low, 1, (mf_heap){16 * PAGE, 16});
    mf_layout *layout = layout_of(&high, 1, (mf_heap){0});
    uint64_t old;
    set_byte(m, 1, 1);
    expect(getrlimit(RLIMIT_DATA, &before) == 0);
    limit = (struct rlimit){1 << 28, before.rlim_max};
    expect(setrlimit(RLIMIT_DATA, &limit) == 0);
    expect(mf_memory_create(layout, NULL, MF_BACKEND_COPY, &made, NULL) == MF_OUT_OF_MEMORY && made == NULL);
    expect(mf_memory_map_region(m, 0xfffff000, PAGE, MF_READ_WRITE, "x", 1, NULL) == MF_OUT_OF_MEMORY);
    expect(mf_memory_len(m) == 4 * PAGE && byte_at(m, 1) == 1);
    expect_ok(mf_memory_sbrk(m, PAGE, &old, NULL));
    expect_ok(mf_memory_clone(m, &made, NULL));
    expect(byte_at(made, 1) == 1);
    expect_ok(mf_memory_reset(m, NULL));
    mf_memory_destroy(made);
    mf_memory_destroy(m);
    mf_layout_release(layout);
    expect(setrlimit(RLIMIT_DATA, &before) == 0);
}

int main(void) {
    limit_data();
    puts("data is limited to what the layout reaches");
    return 0;
}
