// With stale = check, accessors panic on a memory whose layout has changed since; asking again gives
// accessors that do not.
//
// RUN: %cc %jit %s -o %t %gen
// RUN: %t | FileCheck %s
//
// By stencils:
// RUN: %cc %jit %by-stencils %s -o %t.stencil %gen
// RUN: %t.stencil | FileCheck %s
//
// CHECK: stale accessors panic: accessors made for layout 0x{{[0-9a-f]+}} were used on a memory with layout 0x0: ask for accessors again after a change of its layout
// CHECK-NEXT: fresh accessors do not
// CHECK-NEXT: stale accessors panic: accessors made for layout 0x{{[0-9a-f]+}} were used on a memory with layout 0x{{[0-9a-f]+}}: the memory was made for 32-bit indices, and they take 33-bit ones
// CHECK-NEXT: stale accessors panic: accessors made for layout 0x0 were used on a memory with layout 0x{{[0-9a-f]+}}: the memory was made for 32-bit indices, and they take 33-bit ones
// CHECK-NEXT: no code for 33-bit indices on a memory for 32-bit ones
#include "jit_support.h"

#include <memfold/panic.h>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static void print_panic(const char *message) {
    printf("stale accessors panic: %s\n", message);
    fflush(stdout);
}

/* In a child, because a panic ends the process. Returns how it ended. */
static int use_stale_in_child(const mf_code *code, mf_memory *memory) {
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        mf_panic_hook_set(print_panic);
        mf_code_accessors(code)->load_u8(mf_memory_view(memory), REGION_START);
        printf("stale accessors answer\n");
        fflush(stdout);
        _exit(0);
    }
    int status = 0;
    require(child > 0 && waitpid(child, &status, 0) == child, "no child");
    return status;
}

static uint32_t load_status(const mf_code *code, mf_memory *memory) {
    return mf_code_accessors(code)->load_u8(mf_memory_view(memory), REGION_START).status;
}

static mf_memory *make_narrow(const mf_layout *layout) {
    const mf_memory_config config = {.index = MF_MEMORY_U32};
    mf_memory *memory;
    mf_diag diag;
    must(mf_memory_create_with(layout, NULL, &config, &memory, &diag), &diag);
    return memory;
}

/* By a comparison of the layout, and by one that any layout passes. */
static void test_wide(mf_jit *jit, mf_strategy strategy) {
    mf_accessor_options options = {.stale = MF_STALE_CHECK, .index = MF_INDEX_U33, .strategy = strategy};
    mf_memory *wide = make_memory(REGION_START);
    mf_layout *layout;
    mf_code *code;
    mf_code *refused;
    mf_diag diag;
    must(mf_memory_layout(wide, &layout, &diag), &diag);
    mf_memory *narrow = make_narrow(layout);
    must(mf_jit_get_for(jit, wide, &options, &code, &diag), &diag);
    require(mf_accessors_fit(mf_code_accessors(code), wide), "they fit where they may reach");
    require(!mf_accessors_fit(mf_code_accessors(code), narrow), "and nowhere else");
    require(load_status(code, wide) == 0, "they serve it");
    int status = use_stale_in_child(code, narrow);
    require(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "the process ends with abort");
    require(mf_jit_get_for(jit, narrow, &options, &refused, &diag) == MF_INVALID_ARGUMENT &&
                diag.value == MF_INDEX_U33,
            "there are none for it");
    mf_code_release(code);
    options.index = MF_INDEX_U32;
    must(mf_jit_get_for(jit, narrow, &options, &code, &diag), &diag);
    require(mf_accessors_fit(mf_code_accessors(code), wide) && load_status(code, wide) == 0 &&
                mf_accessors_fit(mf_code_accessors(code), narrow) && load_status(code, narrow) == 0,
            "those for 32-bit indices serve both");
    mf_code_release(code);
    mf_layout_release(layout);
    mf_memory_destroy(narrow);
    mf_memory_destroy(wide);
}

static void test_stale(mf_jit *jit) {
    const mf_accessor_options options = {.stale = MF_STALE_CHECK};
    mf_memory *memory = make_memory(REGION_START);
    mf_code *code;
    mf_code *fresh;
    mf_diag diag;
    must(mf_jit_get_for(jit, memory, &options, &code, &diag), &diag);
    must(mf_memory_protect(memory, REGION_START, MF_PAGE_SIZE, MF_PERM_NONE, &diag), &diag);
    int status = use_stale_in_child(code, memory);
    require(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "the process ends with abort");

    must(mf_jit_get_for(jit, memory, &options, &fresh, &diag), &diag);
    require(fresh != code && load_status(fresh, memory) == MF_PAGE_FAULT, "the new layout has new accessors");
    mf_code_release(fresh);
    must(mf_memory_protect(memory, REGION_START, MF_PAGE_SIZE, MF_PERM_RW, &diag), &diag);
    must(mf_jit_get_for(jit, memory, &options, &fresh, &diag), &diag);
    require(fresh == code && load_status(code, memory) == 0, "the old layout has the old accessors again");
    mf_code_release(fresh);
    mf_code_release(code);
    mf_memory_destroy(memory);
    printf("fresh accessors do not\n");
}

int main(void) {
    mf_jit *jit = make_jit(NULL);
    test_stale(jit);
    test_wide(jit, MF_STRATEGY_AUTO);
    test_wide(jit, MF_STRATEGY_PERM_TABLE);
    printf("no code for 33-bit indices on a memory for 32-bit ones\n");
    mf_jit_destroy(jit);
    return 0;
}
