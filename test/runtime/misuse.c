/*
 * Values outside their enumeration and counts that cannot be are refused, and nothing is read or written
 * beside what the caller owns. A library with assertions panics where no status can be returned.
 *
 * RUN: %cc -D_GNU_SOURCE %s -o %t %runtime
 * RUN: env ASAN_OPTIONS=allocator_may_return_null=1 TSAN_OPTIONS=allocator_may_return_null=1 %t \
 * RUN:     2>/dev/null | FileCheck %s
 *
 * CHECK: layouts
 * CHECK-NEXT: memories
 * CHECK-NEXT: backends
 * CHECK-NEXT: questions
 * CHECK-NEXT: operations
 * CHECK-NEXT: exception_tables
 */
#include "support.h"

#include <memfold/accessors.h>
#include <memfold/exception_table.h>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static const unsigned values[] = {3, 4, 7, 77, 256, 257, 258, 0x7fffffff, 0x80000000, 0xffffffff};

#define VALUES (sizeof values / sizeof values[0])

static void expect_refused(mf_status status, const mf_diag *diag, unsigned value) {
    expect(status == MF_INVALID_ARGUMENT && diag->status == status && diag->value == value);
    expect(diag->message[0] != '\0');
}

static void layouts(void) {
    mf_layout_builder *builder = mf_layout_builder_create();
    mf_layout *layout;
    mf_diag diag = {0};
    expect_ok(mf_layout_builder_map_region(builder, PAGE, PAGE, MF_READ_WRITE, NULL, 0, NULL));
    for (size_t i = 0; i <= VALUES; i++) {
        unsigned value = i < VALUES ? values[i] : 0;
        expect_refused(mf_layout_builder_map_region(builder, 0, 4 * PAGE, (mf_access)value, "x", 1, &diag),
                       &diag, value);
        expect_refused(mf_layout_builder_map_region(builder, 0, 0, (mf_access)value, NULL, 0, &diag), &diag,
                       value);
    }
    expect_ok(mf_layout_builder_finish(builder, &layout, NULL, NULL));
    expect(mf_layout_region_count(layout) == 1 && mf_layout_len(layout) == 2 * PAGE);
    mf_layout_release(layout);
    mf_layout_builder_destroy(builder);
}

static void memories(void) {
    mf_memory *m = memory_of(&(mf_region){PAGE, PAGE, MF_READ_WRITE}, 1, (mf_heap){0});
    mf_diag diag = {0};
    set_byte(m, PAGE, 5);
    for (size_t i = 0; i < VALUES; i++) {
        expect_refused(mf_memory_map_region(m, 0, 4 * PAGE, (mf_access)values[i], "x", 1, &diag), &diag,
                       values[i]);
        expect_refused(mf_memory_protect(m, 0, 4 * PAGE, (mf_perm)values[i], &diag), &diag, values[i]);
    }
    expect_refused(mf_memory_map_region(m, PAGE, PAGE, (mf_access)0, "x", 1, &diag), &diag, 0);
    expect(mf_memory_len(m) == 2 * PAGE && mf_memory_perm_of(m, 0) == MF_PERM_NONE);
    expect(mf_memory_perm_of(m, PAGE) == MF_PERM_RW && byte_at(m, PAGE) == 5);
    mf_memory_destroy(m);
}

static void backends(void) {
    mf_memory *m = NULL;
    mf_diag diag = {0};
    for (size_t i = 0; i < VALUES; i++) {
        expect_refused(mf_memory_create(NULL, NULL, (mf_backend)values[i], &m, &diag), &diag, values[i]);
        mf_memory_config config = {.backend = backend, .huge_pages = (mf_huge_pages)values[i]};
        expect_refused(mf_memory_create_with(NULL, NULL, &config, &m, &diag), &diag, values[i]);
        config = (mf_memory_config){.backend = backend, .empty_range = (mf_empty_range)values[i]};
        expect_refused(mf_memory_create_with(NULL, NULL, &config, &m, &diag), &diag, values[i]);
    }
    expect(m == NULL);
}

static void questions(void) {
    mf_layout *layout = layout_of(&(mf_region){PAGE, PAGE, MF_READ_WRITE}, 1, (mf_heap){0});
    const mf_accessors *set = mf_generic_accessors(NULL);
    mf_window window = {7, 7};
    for (size_t i = 0; i < VALUES; i++) {
        expect(!mf_layout_window_lookup(layout, (mf_operation)values[i], 0, &window) && window.size == 7);
        expect(mf_layout_region(layout, values[i]).size == 0);
        expect(mf_accessor_info_get((mf_accessor_id)(MF_ACCESSOR_COUNT + values[i] / 2)) == NULL);
        expect(mf_accessors_member(set, (mf_accessor_id)(MF_ACCESSOR_COUNT + values[i] / 2)) == NULL);
        expect(mf_status_name((mf_status)(MF_STATUS_COUNT + values[i] / 2)) != NULL);
        expect(mf_status_message((mf_status)(MF_STATUS_COUNT + values[i] / 2)) != NULL);
    }
    expect(mf_layout_region(layout, 1).size == 0 && mf_layout_region(layout, SIZE_MAX).size == 0);
    mf_layout_release(layout);
}

/* Exits with 0 if `value` was answered like a store: a read-only page is not given away. */
static void answer_as_a_store(unsigned value) {
    const mf_region regions[] = {{0, PAGE, MF_READ_ONLY}, {PAGE, PAGE, MF_READ_WRITE}};
    mf_memory *m = memory_of(regions, 2, (mf_heap){0});
    mf_operation operation = (mf_operation)value;
    bool is_right =
        !mf_memory_is_accessible(m, 0, 1, operation) && mf_memory_span(m, 0, PAGE, operation) == NULL &&
        mf_memory_span(m, PAGE, PAGE + 1, operation) == NULL && mf_memory_last_fault(m).page == 2 * PAGE &&
        mf_memory_is_accessible(m, PAGE, PAGE, operation);
    _exit(is_right ? 0 : 1);
}

static void operations(void) {
    for (size_t i = 0; i < VALUES; i++) {
        int status = 1;
        pid_t child = fork();
        expect(child >= 0);
        if (child == 0)
            answer_as_a_store(values[i]);
        expect(waitpid(child, &status, 0) == child);
        expect(status == 0 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT));
    }
}

/* Counts whose tables are longer than the address space, or as long as to begin anew. */
static void exception_tables(void) {
    static mf_exception_entry entries[2];
    static const size_t counts[] = {SIZE_MAX,          SIZE_MAX / 2,      SIZE_MAX / 8, SIZE_MAX / 16,
                                    SIZE_MAX / 16 + 1, SIZE_MAX / 16 - 2, SIZE_MAX / 32};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        expect(mf_exception_table_register(entries, counts[i], NULL) == MF_OUT_OF_MEMORY);
    mf_exception_table_unregister(entries);
    mf_exception_table_unregister(NULL);
    expect(mf_exception_table_lookup((uintptr_t)entries) == 0);
}

static const test tests[] = {
    TEST(layouts), TEST(memories), TEST(backends), TEST(questions), TEST(operations), TEST(exception_tables),
};

int main(void) {
    return RUN_TESTS(tests);
}
