// The prefix of a jit's symbols is a C identifier of limited length, or there is no jit and the message names
// it.
//
// RUN: %cc %jit %s -o %t %gen
// RUN: %t | FileCheck %s
//
// CHECK: an intrinsic: invalid-argument: the symbol prefix 'llvm.memcpy.p0.p0.i64' is not a C identifier
// CHECK-NEXT: empty: invalid-argument: the symbol prefix '' is not a C identifier
// CHECK-NEXT: a digit: invalid-argument: the symbol prefix '1st' is not a C identifier
// CHECK-NEXT: a line: invalid-argument: the symbol prefix 'a?b' is not a C identifier
// CHECK-NEXT: 129 bytes: invalid-argument: the symbol prefix 'a{{a*}}' is longer than 128 bytes
// CHECK-NEXT: 128 bytes: works
// CHECK-NEXT: memfold's own: works
#include "jit_support.h"

#include <string.h>

static void try_prefix(const char *what, const char *prefix) {
    const mf_jit_config config = {.symbol_prefix = prefix, .maker = mf_llvm_maker()};
    mf_diag diag = {0};
    mf_jit *jit = NULL;
    mf_status status = mf_jit_create(&config, &jit, &diag);
    if (status != MF_OK) {
        require(jit == NULL && diag.status == status, "the refusal");
        printf("%s: %s: %s\n", what, mf_status_name(status), diag.message);
        return;
    }
    mf_memory *memory = make_memory(REGION_START);
    mf_accessor_options options = {.backend = MF_BACKEND_COPY};
    mf_code *code;
    must(mf_jit_get_for(jit, memory, &options, &code, &diag), &diag);
    require(mf_code_accessors(code)->load_u8(mf_memory_view(memory), REGION_START).status == 0, "an access");
    mf_code_release(code);
    mf_memory_destroy(memory);
    mf_jit_destroy(jit);
    printf("%s: works\n", what);
}

int main(void) {
    char longest[130];
    memset(longest, 'a', sizeof longest);
    longest[129] = '\0';
    try_prefix("an intrinsic", "llvm.memcpy.p0.p0.i64");
    try_prefix("empty", "");
    try_prefix("a digit", "1st");
    try_prefix("a line", "a\nb");
    try_prefix("129 bytes", longest);
    longest[128] = '\0';
    try_prefix("128 bytes", longest);
    try_prefix("memfold's own", "mf_rt");
    return 0;
}
