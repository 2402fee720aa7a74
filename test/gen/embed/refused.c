// What cannot be embedded is refused, with the reason.
//
// RUN: %cc %llvm %s %client -o %t %gen
// RUN: %t 2>/dev/null | FileCheck %s
//
// CHECK:      define, 32-bit module: llvm: the module's data layout 'e-p:32:32' has no 64-bit pointers: give it that of its target machine, which is a 64-bit little-endian host (LLVMSetModuleDataLayout)
// CHECK-NEXT: create, 32-bit module: llvm: the module's data layout 'e-p:32:32' has no 64-bit pointers: give it that of its target machine, which is a 64-bit little-endian host (LLVMSetModuleDataLayout)
// CHECK-NEXT: define, big-endian module: llvm: the module's data layout 'E-p:64:64-i64:64' is big-endian: give it that of its target machine, which is a 64-bit little-endian host (LLVMSetModuleDataLayout)
// CHECK-NEXT: create, big-endian module: llvm: the module's data layout 'E-p:64:64-i64:64' is big-endian: give it that of its target machine, which is a 64-bit little-endian host (LLVMSetModuleDataLayout)
// CHECK-NEXT: define, narrow indices: llvm: the module's data layout 'e-p270:32:32-p0:64:64:64:32-i64:64' has no 64-bit indices: give it that of its target machine, which is a 64-bit little-endian host (LLVMSetModuleDataLayout)
// CHECK-NEXT: create, narrow indices: llvm: the module's data layout 'e-p270:32:32-p0:64:64:64:32-i64:64' has no 64-bit indices: give it that of its target machine, which is a 64-bit little-endian host (LLVMSetModuleDataLayout)
// CHECK-NEXT: define, no triple: invalid-argument: backend x86_paged needs a module with a target triple: call LLVMSetTarget before
// CHECK-NEXT: create, no triple: invalid-argument: backend x86_paged needs a module with a target triple: call LLVMSetTarget before
// CHECK-NEXT: define, paged on another processor: invalid-argument: backend x86_paged needs an x86-64 target, not 'aarch64-linux-gnu'
// CHECK-NEXT: create, paged on another processor: invalid-argument: backend x86_paged needs an x86-64 target, not 'aarch64-linux-gnu'
// CHECK-NEXT: create, with a stale check: invalid-argument: stale checks are for whole accessors
// CHECK-NEXT: define, inexact strategy: inexact-strategy: the strategy is not exact for load_u8: there is more than one window
// CHECK-NEXT: create, inexact strategy: inexact-strategy: the strategy is not exact for load_u8: there is more than one window
// CHECK-NEXT: define, bounds on paged: invalid-argument: policy = bounds needs the copy backend
// CHECK-NEXT: create, bounds on paged: invalid-argument: policy = bounds needs the copy backend
// CHECK-NEXT: a range of no operation: as a store, or an assertion
#include "client.h"

#include <memfold/embed.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static mf_layout *layout;

static void make_layout(void) {
    mf_diag diag;
    mf_layout_builder *builder = mf_layout_builder_create();
    for (uint64_t start = 0; start < 0x4000; start += 0x2000)
        client_must(mf_layout_builder_map_region(builder, start, 0x1000, MF_READ_WRITE, NULL, 0, &diag),
                    &diag, "map_region");
    client_must(mf_layout_builder_finish(builder, &layout, NULL, &diag), &diag, "finish");
    mf_layout_builder_destroy(builder);
}

static void print_refusal(const char *verb, const char *title, mf_status status, const mf_diag *diag) {
    if (status == MF_OK)
        exit(1);
    printf("%s, %s: %s: %s\n", verb, title, mf_status_name(status), diag->message);
}

static void define(const char *title, const client_module *m, mf_accessor_options options) {
    mf_diag diag;
    mf_status status = mf_embed_define(m->module, layout, &options, "in", NULL, &diag);
    print_refusal("define", title, status, &diag);
}

static void create(const char *title, const client_module *m, mf_accessor_options options) {
    mf_embed *embed = NULL;
    mf_diag diag;
    mf_status status = mf_embed_create(m->module, layout, &options, &embed, &diag);
    print_refusal("create", title, status, &diag);
    if (embed != NULL)
        exit(1);
}

static void both(const char *title, const client_module *m, mf_accessor_options options) {
    define(title, m, options);
    create(title, m, options);
}

static void with_data_layout(const char *title, const char *data_layout) {
    client_module m = client_module_create(title);
    LLVMSetDataLayout(m.module, data_layout);
    both(title, &m, (mf_accessor_options){0});
    client_module_destroy(&m);
}

/* The IR of a function that checks one range; LLVMDisposeMessage frees it. */
static char *range_check(mf_operation operation) {
    client_module m = client_module_create("range");
    mf_embed *embed;
    mf_diag diag;
    LLVMTypeRef parameters[] = {LLVMPointerTypeInContext(m.context, 0), LLVMInt32TypeInContext(m.context),
                                LLVMInt64TypeInContext(m.context)};
    LLVMTypeRef type = LLVMFunctionType(LLVMVoidTypeInContext(m.context), parameters, 3, false);
    client_must(mf_embed_create(m.module, layout, NULL, &embed, &diag), &diag, "create");
    LLVMValueRef f = client_function_begin(&m, "f", type);
    LLVMBasicBlockRef fault = LLVMAppendBasicBlockInContext(m.context, f, "out");
    mf_embed_access access = {
        .view = LLVMGetParam(f, 0), .address = LLVMGetParam(f, 1), .fault_block = fault};
    mf_embed_check_range(embed, m.builder, &access, LLVMGetParam(f, 2), operation, NULL);
    LLVMBuildRetVoid(m.builder);
    LLVMPositionBuilderAtEnd(m.builder, fault);
    LLVMBuildRetVoid(m.builder);
    char *text = LLVMPrintModuleToString(m.module);
    mf_embed_destroy(embed);
    client_module_destroy(&m);
    return text;
}

static void compare_range_checks(void) {
    static const unsigned values[] = {2, 3, 77, 0x10000, 0xffffffff};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        int status = 1;
        pid_t child = fork();
        if (child == 0)
            _exit(strcmp(range_check((mf_operation)values[i]), range_check(MF_STORE)) == 0 ? 0 : 1);
        if (waitpid(child, &status, 0) != child ||
            (status != 0 && (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT)))
            exit(1);
    }
    puts("a range of no operation: as a store, or an assertion");
}

int main(void) {
    client_start();
    make_layout();
    client_module m = client_module_create("refused");
    client_module foreign = client_module_create("foreign");
    client_module nowhere = client_module_create("nowhere");
    LLVMSetTarget(foreign.module, "aarch64-linux-gnu");
    LLVMSetTarget(nowhere.module, "");
    with_data_layout("32-bit module", "e-p:32:32");
    with_data_layout("big-endian module", "E-p:64:64-i64:64");
    with_data_layout("narrow indices", "e-p270:32:32-p0:64:64:64:32-i64:64");
    both("no triple", &nowhere, (mf_accessor_options){.backend = MF_BACKEND_X86_PAGED});
    both("paged on another processor", &foreign, (mf_accessor_options){.backend = MF_BACKEND_X86_PAGED});
    create("with a stale check", &m, (mf_accessor_options){.stale = MF_STALE_CHECK});
    both("inexact strategy", &m, (mf_accessor_options){.strategy = MF_STRATEGY_WINDOW});
    both("bounds on paged", &m,
         (mf_accessor_options){.policy = MF_POLICY_BOUNDS, .backend = MF_BACKEND_X86_PAGED});
    fflush(stdout);
    compare_range_checks();
    client_module_destroy(&foreign);
    client_module_destroy(&nowhere);
    client_module_destroy(&m);
    mf_layout_release(layout);
    client_stop();
    return 0;
}
