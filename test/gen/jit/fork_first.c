// The first fork of a process has begun when another thread first compiles or emits. The child finds whole
// what that thread was in the middle of, and goes on with it.
//
// RUN: %cc %jit %s -o %t %gen
// RUN: %t | FileCheck %s
//
// CHECK: objects: 10 of 10 children went on
// CHECK-NEXT: llvm: 10 of 10 children went on
// CHECK-NEXT: stencils: 10 of 10 children went on
#include "first_fork.h"
#include "jit_support.h"

#include <memfold/aot.h>

static mf_layout *layout;
static mf_jit *_Atomic jit;

static void emit_object(void) {
    const mf_aot_options options = {.symbol_prefix = "guest"};
    char *bytes;
    size_t byte_count;
    mf_diag diag;
    must(mf_aot_emit(layout, &options, MF_EMIT_OBJECT, &bytes, &byte_count, &diag), &diag);
    mf_aot_free(bytes);
}

static void make_code(const mf_code_maker *maker) {
    if (atomic_load(&jit) == NULL) {
        mf_jit *made;
        mf_diag diag;
        must(mf_jit_create(&(mf_jit_config){.maker = maker}, &made, &diag), &diag);
        atomic_store(&jit, made);
    }
    mf_code_release(get_code(jit, layout, NULL));
}

static void make_code_by_llvm(void) {
    make_code(mf_llvm_maker());
}

static void make_code_by_stencils(void) {
    make_code(NULL);
}

int main(int argument_count, char **arguments) {
    static const fork_work WORKS[] = {
        {"objects", emit_object}, {"llvm", make_code_by_llvm}, {"stencils", make_code_by_stencils}};
    layout = make_layout(REGION_START);
    return fork_first(argument_count, arguments, WORKS, sizeof WORKS / sizeof WORKS[0]);
}
