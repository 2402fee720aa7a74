// What a client's module has in it besides what it asked for: declarations, and after optimisation not even
// those that nothing calls.
//
// RUN: %cc %llvm %s %client -o %t %gen
// RUN: %t | FileCheck %s
//
// CHECK-LABEL: defined on copy:
// CHECK-NEXT:  internal in_load_u8
// CHECK-COUNT-10: internal in_
// CHECK-NOT:   internal
// CHECK:       end
// CHECK-LABEL: cleaned up:
// CHECK-NEXT:  end
// CHECK-LABEL: one caller, optimised, on copy:
// CHECK-NEXT:  declared mf_rt_fault_v3
// CHECK-NEXT:  external caller
// CHECK-NEXT:  end
// CHECK-LABEL: one caller, optimised, on paged:
// CHECK-NEXT:  declared mf_rt_fault_v3
// CHECK-NEXT:  external caller
// CHECK-NEXT:  end
// CHECK-LABEL: one access, as emitted:
// CHECK-NEXT:  external caller
// CHECK-NEXT:  declared mf_rt_fault_v3
// CHECK-NEXT:  end
// CHECK-LABEL: refused in the middle:
// CHECK-NOT:   internal
// CHECK-NOT:   external
// CHECK:       end
#include "client.h"

#include <memfold/embed.h>

#include <stdio.h>
#include <stdlib.h>

static mf_layout *layout;

static void make_layout(void) {
    mf_diag diag;
    mf_layout_builder *builder = mf_layout_builder_create();
    client_must(mf_layout_builder_map_region(builder, 0x1000, 0x1000, MF_READ_WRITE, NULL, 0, &diag), &diag,
                "map_region");
    client_must(mf_layout_builder_map_region(builder, 0x4000, 0x1000, MF_READ_ONLY, NULL, 0, &diag), &diag,
                "map_region");
    client_must(mf_layout_builder_finish(builder, &layout, NULL, &diag), &diag, "finish");
    mf_layout_builder_destroy(builder);
}

static const char *kind_of(LLVMValueRef global) {
    if (LLVMIsDeclaration(global))
        return "declared";
    return LLVMGetLinkage(global) == LLVMInternalLinkage ? "internal" : "external";
}

static void print_global(LLVMValueRef global) {
    size_t length;
    const char *name = LLVMGetValueName2(global, &length);
    printf("%s %s\n", kind_of(global), name);
}

/* Lists all functions and variables, and ends with the module. */
static void list(const char *title, client_module *m) {
    printf("%s:\n", title);
    for (LLVMValueRef g = LLVMGetFirstGlobal(m->module); g != NULL; g = LLVMGetNextGlobal(g))
        print_global(g);
    for (LLVMValueRef f = LLVMGetFirstFunction(m->module); f != NULL; f = LLVMGetNextFunction(f))
        print_global(f);
    size_t assembly_bytes;
    if (LLVMGetModuleInlineAsm(m->module, &assembly_bytes) != NULL && assembly_bytes > 0)
        printf("assembly\n");
    printf("end\n");
    client_module_destroy(m);
}

static client_module define(mf_backend backend, LLVMValueRef functions[MF_ACCESSOR_COUNT]) {
    client_module m = client_module_create("leftovers");
    mf_accessor_options options = {.backend = backend};
    mf_diag diag;
    client_must(mf_embed_define(m.module, layout, &options, "in", functions, &diag), &diag,
                "mf_embed_define");
    return m;
}

/* uint32_t caller(mf_view *, uint32_t address) */
static LLVMValueRef begin_caller(client_module *m) {
    LLVMTypeRef t_i32 = LLVMInt32TypeInContext(m->context);
    LLVMTypeRef parameters[] = {LLVMPointerTypeInContext(m->context, 0), t_i32};
    return client_function_begin(m, "caller", LLVMFunctionType(t_i32, parameters, 2, false));
}

static void call_one(const char *title, mf_backend backend) {
    LLVMValueRef functions[MF_ACCESSOR_COUNT];
    client_module m = define(backend, functions);
    LLVMValueRef caller = begin_caller(&m);
    LLVMValueRef callee = functions[MF_STORE_U32];
    LLVMValueRef v_value = LLVMConstInt(LLVMInt64TypeInContext(m.context), 7, false);
    LLVMValueRef arguments[] = {LLVMGetParam(caller, 0), LLVMGetParam(caller, 1), v_value};
    LLVMValueRef v_status =
        LLVMBuildCall2(m.builder, LLVMGlobalGetValueType(callee), callee, arguments, 3, "");
    LLVMBuildRet(m.builder, v_status);
    client_module_optimise(&m, "default<O2>");
    list(title, &m);
}

static void access_one(const char *title) {
    client_module m = client_module_create("leftovers");
    mf_embed *embed;
    mf_diag diag;
    client_must(mf_embed_create(m.module, layout, NULL, &embed, &diag), &diag, "mf_embed_create");
    LLVMValueRef caller = begin_caller(&m);
    LLVMTypeRef t_i32 = LLVMInt32TypeInContext(m.context);
    mf_embed_access access = {.view = LLVMGetParam(caller, 0),
                              .address = LLVMGetParam(caller, 1),
                              .fault_block = LLVMAppendBasicBlockInContext(m.context, caller, "fault")};
    LLVMBuildRet(m.builder, mf_embed_load(embed, m.builder, &access, t_i32, NULL));
    LLVMPositionBuilderAtEnd(m.builder, access.fault_block);
    LLVMBuildRet(m.builder, LLVMConstInt(t_i32, 0, false));
    mf_embed_destroy(embed);
    client_module_optimise(&m, NULL);
    list(title, &m);
}

/* Loads have two windows here and stores have one: the strategy is exact for the stores only. */
static void refuse(const char *title) {
    client_module m = client_module_create("leftovers");
    mf_accessor_options options = {.strategy = MF_STRATEGY_WINDOW};
    LLVMValueRef functions[MF_ACCESSOR_COUNT];
    mf_diag diag;
    if (mf_embed_define(m.module, layout, &options, "in", functions, &diag) != MF_INEXACT_STRATEGY)
        exit(1);
    list(title, &m);
}

int main(void) {
    client_start();
    make_layout();
    client_module m = define(MF_BACKEND_COPY, NULL);
    client_module_optimise(&m, NULL);
    list("defined on copy", &m);
    m = define(MF_BACKEND_X86_PAGED, NULL);
    client_module_optimise(&m, "globaldce");
    list("cleaned up", &m);
    call_one("one caller, optimised, on copy", MF_BACKEND_COPY);
    call_one("one caller, optimised, on paged", MF_BACKEND_X86_PAGED);
    access_one("one access, as emitted");
    refuse("refused in the middle");
    mf_layout_release(layout);
    client_stop();
    return 0;
}
