// The layout with the most windows there can be: every second page of the space, every other one of them
// read-only. Its constant data is a bit for each page and operation, 256 KiB together, and that is all.
//
// RUN: %cc %s -o %t %gen && %t | FileCheck %s
//
// CHECK: loads: granule-bitmap, 131072 bytes
// CHECK-NEXT: stores: granule-bitmap, 131072 bytes
// CHECK-NEXT: the object: data and less than 24 KiB of code
// CHECK-NEXT: the same for both: half the data
#include <memfold/aot.h>
#include <memfold/plan.h>

#include <stdio.h>
#include <stdlib.h>

#define PAGE_STEP 2

static mf_layout *make_layout(bool has_read_only) {
    mf_layout_builder *builder = mf_layout_builder_create();
    mf_layout *layout;
    for (uint64_t page = 1; page < MF_SPACE_PAGES; page += PAGE_STEP) {
        mf_access access = has_read_only && page % 4 == 1 ? MF_READ_ONLY : MF_READ_WRITE;
        if (mf_layout_builder_map_region(builder, page * MF_PAGE_SIZE, MF_PAGE_SIZE, access, NULL, 0, NULL) !=
            MF_OK)
            abort();
    }
    if (mf_layout_builder_finish(builder, &layout, NULL, NULL) != MF_OK)
        abort();
    mf_layout_builder_destroy(builder);
    return layout;
}

static void print_plan(const mf_layout *layout, const char *name, mf_accessor_id id) {
    mf_plan plan;
    if (mf_plan_make(layout, id, NULL, &plan, NULL) != MF_OK)
        abort();
    printf("%s: %s, %zu bytes\n", name, mf_check_name(plan.check), mf_plan_table_bytes(&plan));
}

static size_t object_bytes(const mf_layout *layout) {
    mf_aot_options options = {.symbol_prefix = "worst"};
    char *bytes;
    size_t byte_count;
    mf_diag diag;
    if (mf_aot_emit(layout, &options, MF_EMIT_OBJECT, &bytes, &byte_count, &diag) != MF_OK)
        abort();
    mf_aot_free(bytes);
    return byte_count;
}

int main(void) {
    mf_layout *layout = make_layout(true);
    mf_layout *one_access = make_layout(false);
    print_plan(layout, "loads", MF_LOAD_U32);
    print_plan(layout, "stores", MF_STORE_U32);
    size_t both = object_bytes(layout);
    size_t shared = object_bytes(one_access);
    if (both > 2 * 131072 && both < 2 * 131072 + 24 * 1024)
        printf("the object: data and less than 24 KiB of code\n");
    if (shared > 131072 && shared < 131072 + 24 * 1024)
        printf("the same for both: half the data\n");
    mf_layout_release(layout);
    mf_layout_release(one_access);
    return 0;
}
