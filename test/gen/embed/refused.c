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
// CHECK-NEXT: load: the guest has no values of type i1: integers have 8 to 128 bits
// CHECK-NEXT: load: the guest has no values of type i129: integers have 8 to 128 bits
// CHECK-NEXT: load: the guest has no values of type x86_fp80: they are integers, half, float, double, ptr or fixed vectors
// CHECK-NEXT: load: the guest has no values of type bfloat: they are
// CHECK-NEXT: load: the guest has no values of type void: they are
// CHECK-NEXT: load: the guest has no values of type { i32, i32 }: they are
// CHECK-NEXT: load: the guest has no values of type [4 x i8]: they are
// CHECK-NEXT: load: the guest has no values of type <vscale x 4 x i32>: they are
// CHECK-NEXT: load: the guest has no values of type <8 x i1>: elements are integers of 8, 16, 32, 64 or 128 bits, half, float, double or ptr
// CHECK-NEXT: load: the guest has no values of type <2 x i24>: elements are
// CHECK-NEXT: load: the guest has no values of type <65 x i8>: an access has 64 bytes at most
// CHECK-NEXT: load: the guest has no values of type ptr addrspace(270): pointers have 64 bits
// CHECK-NEXT: store: the guest has no values of type i1: integers have 8 to 128 bits
// CHECK-NEXT: big-endian: the guest has no values of type i24: big-endian integers have 8, 16, 32, 64 or 128 bits
// CHECK-NEXT: big-endian: the guest has no values of type <2 x i32>: vectors are little-endian
// CHECK-NEXT: address: an access has 1 to 64 bytes, not 0
// CHECK-NEXT: address: an access has 1 to 64 bytes, not 65
// CHECK-NEXT: address: there is no operation 2
// CHECK-NEXT: hint of a load: a hot window gets 1 to 100 percent, not 101
// CHECK-NEXT: hint of a store: a hot window gets 1 to 100 percent, not 101
// CHECK-NEXT: hint of an address: a hot window gets 1 to 100 percent, not 101
// CHECK-NEXT: lacks: the access may fault and has no fault block
// CHECK-NEXT: lacks: the access may fault and has no fault block
// CHECK-NEXT: lacks: an access has an address of type i32 or i64 of the module's context
// CHECK-NEXT: lacks: an access has an address of type i32 or i64 of the module's context
// CHECK-NEXT: lacks: base = argument, and the access has no base
// CHECK-NEXT: nothing was emitted
#include "client.h"

#include <memfold/embed.h>

#include <signal.h>
#include <stdbool.h>
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

static void refuse_load(const char *title, const client_module *m, const mf_embed *embed, LLVMTypeRef type) {
    mf_diag diag;
    mf_embed_access access = {.address = LLVMConstInt(LLVMInt32TypeInContext(m->context), 0, false),
                              .diag = &diag};
    if (mf_embed_load(embed, m->builder, &access, type, NULL) != NULL)
        exit(1);
    printf("%s: %s\n", title, diag.message);
    access.diag = NULL; /* nobody has to listen */
    if (mf_embed_load(embed, m->builder, &access, type, NULL) != NULL)
        exit(1);
}

static void refuse_loads(const client_module *m, const mf_embed *embed) {
    LLVMContextRef c = m->context;
    LLVMTypeRef t_i32 = LLVMInt32TypeInContext(c);
    LLVMTypeRef fields[] = {t_i32, t_i32};
    LLVMTypeRef types[] = {
        LLVMInt1TypeInContext(c),
        LLVMIntTypeInContext(c, 129),
        LLVMX86FP80TypeInContext(c),
        LLVMBFloatTypeInContext(c),
        LLVMVoidTypeInContext(c),
        LLVMStructTypeInContext(c, fields, 2, false),
        LLVMArrayType2(LLVMInt8TypeInContext(c), 4),
        LLVMScalableVectorType(t_i32, 4),
        LLVMVectorType(LLVMInt1TypeInContext(c), 8),
        LLVMVectorType(LLVMIntTypeInContext(c, 24), 2),
        LLVMVectorType(LLVMInt8TypeInContext(c), 65),
        LLVMPointerTypeInContext(c, 270), /* of 32 bits on x86-64 */
    };
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        refuse_load("load", m, embed, types[i]);
}

static void refuse_hints(const client_module *m, const mf_embed *embed) {
    LLVMTypeRef t_i32 = LLVMInt32TypeInContext(m->context);
    LLVMValueRef v_number = LLVMConstInt(LLVMIntTypeInContext(m->context, 24), 1, false);
    mf_diag diag;
    mf_embed_access access = {.address = LLVMConstInt(t_i32, 0, false), .hot_percent = 101, .diag = &diag};
    if (mf_embed_load(embed, m->builder, &access, t_i32, NULL) != NULL)
        exit(1);
    printf("hint of a load: %s\n", diag.message);
    if (mf_embed_store(embed, m->builder, &access, v_number, NULL))
        exit(1);
    printf("hint of a store: %s\n", diag.message);
    if (mf_embed_address(embed, m->builder, &access, 8, MF_LOAD, NULL) != NULL)
        exit(1);
    printf("hint of an address: %s\n", diag.message);
}

static void refuse_lacking(const client_module *m, mf_accessor_options options, mf_embed_access access) {
    LLVMTypeRef t_i32 = LLVMInt32TypeInContext(m->context);
    mf_embed *embed;
    mf_diag diag;
    client_must(mf_embed_create(m->module, layout, &options, &embed, &diag), &diag, "create");
    access.diag = &diag;
    if (mf_embed_load(embed, m->builder, &access, t_i32, NULL) != NULL ||
        mf_embed_store(embed, m->builder, &access, LLVMConstInt(LLVMInt8TypeInContext(m->context), 1, false),
                       NULL) ||
        mf_embed_address(embed, m->builder, &access, 4, MF_STORE, NULL) != NULL)
        exit(1);
    printf("lacks: %s\n", diag.message);
    mf_embed_destroy(embed);
}

/* A constant address at which the access is allowed needs no fault block. */
static void refuse_all_lacking(const client_module *m, LLVMValueRef f) {
    LLVMContextRef c = m->context;
    mf_accessor_options returns = {0}, argument = {.base = MF_BASE_ARGUMENT};
    mf_embed_access access = {.view = LLVMGetParam(f, 0), .address = LLVMGetParam(f, 1)};
    refuse_lacking(m, returns, access);
    access.address = LLVMConstInt(LLVMInt32TypeInContext(c), 0x1000, false);
    refuse_lacking(m, (mf_accessor_options){.on_fault = MF_ON_FAULT_BRANCH}, access);
    access.address = NULL;
    refuse_lacking(m, returns, access);
    access.address = LLVMConstInt(LLVMInt16TypeInContext(c), 0, false);
    refuse_lacking(m, returns, access);
    access.address = LLVMGetParam(f, 1);
    refuse_lacking(m, argument, access);
}

/* With the reason, and nothing is emitted. */
static void refuse_accesses(const client_module *m) {
    mf_accessor_options big = {.endian = MF_BIG_ENDIAN, .policy = MF_POLICY_NONE};
    mf_accessor_options little = {.policy = MF_POLICY_NONE};
    LLVMContextRef c = m->context;
    LLVMTypeRef parameters[] = {LLVMPointerTypeInContext(c, 0), LLVMInt32TypeInContext(c)};
    LLVMTypeRef t_function = LLVMFunctionType(LLVMVoidTypeInContext(c), parameters, 2, false);
    LLVMValueRef f = client_function_begin(m, "f", t_function);
    mf_embed *embed, *swapped;
    mf_diag diag;
    mf_embed_access access = {.address = LLVMConstInt(LLVMInt32TypeInContext(c), 0, false), .diag = &diag};
    client_must(mf_embed_create(m->module, layout, &little, &embed, &diag), &diag, "create");
    client_must(mf_embed_create(m->module, layout, &big, &swapped, &diag), &diag, "create");
    refuse_loads(m, embed);
    if (mf_embed_store(embed, m->builder, &access, LLVMConstInt(LLVMInt1TypeInContext(c), 1, false), NULL))
        exit(1);
    printf("store: %s\n", diag.message);
    refuse_load("big-endian", m, swapped, LLVMIntTypeInContext(c, 24));
    refuse_load("big-endian", m, swapped, LLVMVectorType(LLVMInt32TypeInContext(c), 2));
    static const struct {
        uint32_t width_bytes;
        mf_operation operation;
    } ADDRESSES[] = {{0, MF_LOAD}, {65, MF_STORE}, {8, (mf_operation)2}};
    for (size_t i = 0; i < 3; i++) {
        if (mf_embed_address(embed, m->builder, &access, ADDRESSES[i].width_bytes, ADDRESSES[i].operation,
                             NULL) != NULL)
            exit(1);
        printf("address: %s\n", diag.message);
    }
    refuse_hints(m, embed);
    refuse_all_lacking(m, f);
    bool is_empty =
        LLVMGetFirstInstruction(LLVMGetEntryBasicBlock(f)) == NULL && LLVMCountBasicBlocks(f) == 1;
    printf("%s\n", is_empty ? "nothing was emitted" : "something was emitted");
    mf_embed_destroy(embed);
    mf_embed_destroy(swapped);
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
    refuse_accesses(&m);
    client_module_destroy(&foreign);
    client_module_destroy(&nowhere);
    client_module_destroy(&m);
    mf_layout_release(layout);
    client_stop();
    return 0;
}
