// What cannot be embedded is refused, with the reason.
//
// RUN: %cc %llvm %s %client -o %t %gen
// RUN: %t 2>/dev/null | FileCheck %s
//
// CHECK:      define, 32-bit module: llvm: the module's data layout is not one of a 64-bit host
// CHECK-NEXT: create, 32-bit module: llvm: the module's data layout is not one of a 64-bit host
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
    client_module narrow = client_module_create("narrow");
    client_module foreign = client_module_create("foreign");
    LLVMSetDataLayout(narrow.module, "e-p:32:32");
    LLVMSetTarget(foreign.module, "aarch64-linux-gnu");
    both("32-bit module", &narrow, (mf_accessor_options){0});
    both("paged on another processor", &foreign, (mf_accessor_options){.backend = MF_BACKEND_X86_PAGED});
    create("with a stale check", &m, (mf_accessor_options){.stale = MF_STALE_CHECK});
    both("inexact strategy", &m, (mf_accessor_options){.strategy = MF_STRATEGY_WINDOW});
    both("bounds on paged", &m,
         (mf_accessor_options){.policy = MF_POLICY_BOUNDS, .backend = MF_BACKEND_X86_PAGED});
    fflush(stdout);
    compare_range_checks();
    client_module_destroy(&foreign);
    client_module_destroy(&narrow);
    client_module_destroy(&m);
    mf_layout_release(layout);
    client_stop();
    return 0;
}
