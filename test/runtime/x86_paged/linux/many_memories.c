/*
 * Ten thousand memories come and go, at once and one after the other, and leave neither mappings nor address
 * space behind. Then as many as there can be: the last one is refused, and all others work. Then as many as
 * memory.h promises of those for 32-bit indices, and of small ones with a bound, by the kernel's usual
 * limits.
 *
 * RUN: %cc -D_GNU_SOURCE %s -o %t %runtime && %t | FileCheck %s --check-prefixes=CHECK,%if sanitizer %{SHADOW%} %else %{WHOLE%}
 *
 * CHECK: one after the other
 * CHECK-NEXT: at once
 * CHECK-NEXT: {{1[0-9][0-9][0-9][0-9]}} is the most
 * WHOLE-NEXT: 30000 for 32-bit indices
 * SHADOW-NEXT: 20000 for 32-bit indices
 * CHECK-NEXT: 60000 with a bound on copy
 * CHECK-NEXT: nothing left behind
 */
#include "asm_accessors.h"
#include "host.h"

/* What a sanitizer takes of the address space for itself is not there for windows. */
#ifndef __has_feature
#define __has_feature(feature) 0
#endif
#if __has_feature(address_sanitizer)
#define MOST_U32 20000
#else
#define MOST_U32 30000
#endif

enum { MANY = 10000, MOST = 40000, MOST_BOUNDED = 60000 };

static mf_memory *memories[MOST_BOUNDED];
static mf_memory_config config = {.backend = MF_BACKEND_X86_PAGED};

static mf_memory *new_memory(mf_layout *layout) {
    mf_memory *m = NULL;
    mf_status status = mf_memory_create_with(layout, NULL, &config, &m, NULL);
    expect(status == MF_OK || (status == MF_OUT_OF_MEMORY && m == NULL));
    return m;
}

static void use(mf_memory *m, uint32_t number) {
    mf_view *view = mf_memory_view(m);
    expect(asm_store_u32(view, 4 * PAGE, number) == 0 && asm_load_u32(view, 4 * PAGE).value == number);
    expect(asm_load_u32(view, 5 * PAGE).status == MF_PAGE_FAULT);
}

static void one_after_the_other(mf_layout *layout) {
    for (uint32_t i = 0; i < MANY; i++) {
        mf_memory *m = new_memory(layout);
        use(m, i);
        if (i % 16 == 0) {
            mf_memory *clone;
            expect_ok(mf_memory_clone(m, &clone, NULL));
            use(clone, i);
            mf_memory_destroy(clone);
        }
        mf_memory_destroy(m);
    }
    puts("one after the other");
}

static void use_bounded(mf_memory *m, uint32_t number) {
    uint32_t read = 0;
    expect(mf_memory_write(m, 4 * PAGE, &number, 4) && mf_memory_read(m, 4 * PAGE, &read, 4) &&
           read == number);
    expect(mf_memory_map_region(m, 8 * PAGE, 9 * PAGE, MF_READ_WRITE, NULL, 0, NULL) == MF_OVERFLOW);
}

static uint32_t create_and_use(mf_layout *layout, uint32_t limit) {
    uint32_t count = 0;
    for (; count < limit && (memories[count] = new_memory(layout)) != NULL; count++) {
    }
    for (uint32_t i = 0; i < count; i++)
        config.backend == MF_BACKEND_COPY ? use_bounded(memories[i], i) : use(memories[i], i);
    return count;
}

/* In an order of their own. */
static void destroy(uint32_t count) {
    for (uint32_t step = 0; step < 7; step++)
        for (uint32_t i = step; i < count; i += 7)
            mf_memory_destroy(memories[i]);
}

/* Allocators keep some of the small objects' space; one window is more, and so are the mappings of many. */
static void expect_nothing_left(size_t mappings, uint64_t space) {
    expect(count_mappings() <= mappings + 100);
    expect(address_space_bytes() <= space + (UINT64_C(1) << 30));
}

int main(void) {
    backend = MF_BACKEND_X86_PAGED;
    register_accessors();
    mf_layout *layout = layout_of(&(mf_region){4 * PAGE, PAGE, MF_READ_WRITE}, 1, (mf_heap){0});
    mf_memory_destroy(new_memory(layout));
    count_mappings();
    size_t mappings = count_mappings();
    uint64_t space = address_space_bytes();
    one_after_the_other(layout);
    expect_nothing_left(mappings, space);
    expect(create_and_use(layout, MANY) == MANY);
    puts("at once");
    destroy(MANY);
    expect_nothing_left(mappings, space);
    uint32_t most = create_and_use(layout, MOST);
    printf("%u is the most\n", most);
    destroy(most);
    expect_nothing_left(mappings, space);
    config.index = MF_MEMORY_U32;
    expect(create_and_use(layout, MOST_U32) == MOST_U32);
    printf("%u for 32-bit indices\n", MOST_U32);
    destroy(MOST_U32);
    expect_nothing_left(mappings, space);
    config = (mf_memory_config){.backend = MF_BACKEND_COPY, .max_bytes = 16 * PAGE};
    expect(create_and_use(layout, MOST_BOUNDED) == MOST_BOUNDED);
    printf("%u with a bound on copy\n", MOST_BOUNDED);
    destroy(MOST_BOUNDED);
    expect_nothing_left(mappings, space);
    puts("nothing left behind");
    mf_layout_release(layout);
    return 0;
}
