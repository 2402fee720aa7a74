/*
 * What asks the generator for an accessor, an operation, a format, a kind or an option that there is not is
 * refused, and nothing is written.
 *
 * RUN: %cc %s -o %t %gen
 * RUN: %t %S/../Inputs/window.yaml | FileCheck %s
 *
 * CHECK: there is no accessor 77
 * CHECK-NEXT: there is no operation 77
 * CHECK-NEXT: there is no layout format 77
 * CHECK-NEXT: all refused
 */
#include <memfold/aot.h>
#include <memfold/layout_file.h>
#include <memfold/plan.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const unsigned VALUES[] = {MF_ACCESSOR_COUNT, 12,         64,         77,        256, 257, 258,
                                  0x7fffffff,        0x80000000, 0xfffffffe, 0xffffffff};

static mf_diag diag;

static void expect_refused(mf_status status, unsigned value) {
    if (status != MF_INVALID_ARGUMENT || diag.status != status || diag.value != value) {
        fprintf(stderr, "%u: %s\n", value, mf_status_name(status));
        exit(1);
    }
}

static void expect_plans_refused(const mf_layout *layout, unsigned value, const char *say) {
    mf_plan plan, before;
    memset(&before, 0x55, sizeof before);
    plan = before;
    expect_refused(mf_plan_make(layout, (mf_accessor_id)value, NULL, &plan, &diag), value);
    if (say != NULL)
        puts(diag.message);
    for (int policy = MF_POLICY_PERMS; policy <= MF_POLICY_NONE; policy++) {
        mf_accessor_options options = {.policy = (mf_policy)policy};
        expect_refused(mf_plan_make_range(layout, (mf_operation)value, &options, &plan, &diag), value);
    }
    if (say != NULL)
        puts(diag.message);
    if (memcmp(&plan, &before, sizeof plan) != 0)
        exit(1);
}

int main(int argc, char **argv) {
    mf_layout_file file, other = {0};
    char *bytes = NULL;
    size_t byte_count = 7;
    if (argc != 2 || mf_layout_file_read(argv[1], MF_FORMAT_YAML, &file, &diag) != MF_OK)
        return 1;
    for (size_t i = 0; i < sizeof VALUES / sizeof VALUES[0]; i++) {
        unsigned value = VALUES[i];
        mf_aot_options options = {.symbol_prefix = "guest"};
        const char *say = value == 77 ? "message" : NULL;
        expect_plans_refused(file.layout, value, say);
        expect_refused(mf_layout_file_read(argv[1], (mf_layout_format)value, &other, &diag), value);
        if (say != NULL)
            puts(diag.message);
        expect_refused(mf_aot_emit(file.layout, &options, (mf_emit_kind)value, &bytes, &byte_count, &diag),
                       value);
    }
    if (other.layout != NULL || bytes != NULL || byte_count != 7)
        return 1;
    mf_layout_file_fini(&file);
    puts("all refused");
    return 0;
}
