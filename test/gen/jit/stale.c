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
    mf_jit_destroy(jit);
    return 0;
}
