// With a base of 0, guest address 0 is the null pointer, and still an address like any other: optimisation
// keeps the access to it.
//
// RUN: %cc %llvm %s %client -o %t %gen
// RUN: %t | FileCheck %s
//
// CHECK-LABEL: define {{.*}} @constant_base(
// CHECK:         load volatile i8
// CHECK:         load i32, ptr null
// CHECK:       }
// CHECK-LABEL: define {{.*}} @argument_base(
// CHECK:         load volatile i8
// CHECK:         load i32, ptr null
// CHECK:       }
#include "client.h"

#include <memfold/embed.h>

#include <stdio.h>

static mf_layout *make_layout(void) {
    mf_layout *layout;
    mf_diag diag;
    mf_layout_builder *builder = mf_layout_builder_create();
    client_must(mf_layout_builder_map_region(builder, 0, 0x1000, MF_READ_WRITE, NULL, 0, &diag), &diag,
                "map_region");
    client_must(mf_layout_builder_finish(builder, &layout, NULL, &diag), &diag, "finish");
    mf_layout_builder_destroy(builder);
    return layout;
}

/* The word at guest address 0, after an effect that code which is undefined later would lose too. */
static void build(const client_module *m, const mf_layout *layout, const char *name, mf_base base) {
    mf_accessor_options options = {.base = base};
    mf_embed *embed;
    mf_diag diag;
    client_must(mf_embed_create(m->module, layout, &options, &embed, &diag), &diag, "mf_embed_create");
    LLVMTypeRef t_ptr = LLVMPointerTypeInContext(m->context, 0);
    LLVMTypeRef t_i32 = LLVMInt32TypeInContext(m->context);
    LLVMValueRef function = client_function_begin(m, name, LLVMFunctionType(t_i32, &t_ptr, 1, false));
    LLVMValueRef v_view = LLVMGetParam(function, 0);
    LLVMSetVolatile(LLVMBuildLoad2(m->builder, LLVMInt8TypeInContext(m->context), v_view, ""), true);
    mf_embed_access access = {.view = v_view, .address = LLVMConstInt(t_i32, 0, false)};
    if (base == MF_BASE_ARGUMENT)
        access.base = LLVMConstNull(t_ptr);
    LLVMBuildRet(m->builder, mf_embed_load(embed, m->builder, &access, t_i32, NULL));
    mf_embed_destroy(embed);
}

int main(void) {
    client_start();
    client_module m = client_module_create("null_base");
    mf_layout *layout = make_layout();
    build(&m, layout, "constant_base", MF_BASE_CONSTANT);
    build(&m, layout, "argument_base", MF_BASE_ARGUMENT);
    client_module_optimise(&m, "default<O2>");
    char *text = LLVMPrintModuleToString(m.module);
    printf("%s", text);
    LLVMDisposeMessage(text);
    mf_layout_release(layout);
    client_module_destroy(&m);
    client_stop();
    return 0;
}
