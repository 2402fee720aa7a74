// Memory that the host refuses, for compiling or for code, is a status that says so; nothing is printed, and
// the same jit works once there is memory again.
//
// UNSUPPORTED: sanitizer
// RUN: %cc -D_GNU_SOURCE %jit %s -o %t %gen
// RUN: %t > %t.out 2>&1
// RUN: FileCheck %s --implicit-check-not=error < %t.out
//
// CHECK: no address space: create: out-of-memory: the host has not the 32 MiB of memory that LLVM may need
// CHECK-NEXT: no address space: get: out-of-memory: the host has not the 32 MiB of memory that LLVM may need
// CHECK-NEXT: no address space: emit: out-of-memory: the host has not the 32 MiB of memory that LLVM may need
// CHECK-NEXT: again: get: ok
// CHECK-NEXT: not executable: get: {{ok|llvm: the host refuses to make memory executable: .*Permission denied}}
#include "jit_support.h"

#include <memfold/aot.h>

#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

/* linux/prctl.h has it since Linux 6.3. */
enum { SET_MDWE = 65, REFUSE_EXEC_GAIN = 1 };

static void tell(const char *where, const char *what, mf_status status, const mf_diag *diag) {
    printf("%s: %s: %s%s%s\n", where, what, mf_status_name(status), status == MF_OK ? "" : ": ",
           status == MF_OK ? "" : diag->message);
    fflush(stdout);
}

static void limit_space(rlim_t bytes) {
    struct rlimit limit;
    require(getrlimit(RLIMIT_AS, &limit) == 0, "getrlimit");
    limit.rlim_cur = bytes;
    require(setrlimit(RLIMIT_AS, &limit) == 0, "setrlimit");
}

static void get(mf_jit *jit, const char *where) {
    mf_layout *layout = make_layout(REGION_START);
    mf_code *code = NULL;
    mf_diag diag = {0};
    mf_status status = mf_jit_get(jit, layout, NULL, &code, &diag);
    tell(where, "get", status, &diag);
    require((status == MF_OK) == (code != NULL), "the result");
    mf_code_release(code);
    mf_layout_release(layout);
}

int main(void) {
    const mf_jit_config config = {.maker = mf_llvm_maker()};
    mf_jit *jit = make_jit(NULL);
    mf_jit *second = NULL;
    mf_diag diag = {0};
    mf_layout *layout = make_layout(REGION_START);
    const mf_aot_options options = {.symbol_prefix = "guest"};
    char *bytes = NULL;
    size_t byte_count;
    limit_space(1 << 20);
    tell("no address space", "create", mf_jit_create(&config, &second, &diag), &diag);
    get(jit, "no address space");
    tell("no address space", "emit",
         mf_aot_emit(layout, &options, MF_EMIT_OBJECT, &bytes, &byte_count, &diag), &diag);
    require(second == NULL && bytes == NULL, "results of refused requests");
    limit_space(RLIM_INFINITY);
    get(jit, "again");
    prctl(SET_MDWE, REFUSE_EXEC_GAIN, 0, 0, 0);
    get(jit, "not executable");
    get(jit, "not executable, again");
    mf_layout_release(layout);
    mf_jit_destroy(jit);
    return 0;
}
