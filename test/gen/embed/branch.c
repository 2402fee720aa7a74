// With on_fault = branch the check goes straight to the client's block: no record, no call, no symbol of the
// runtime; on paged the exception table leads there. State that is handed in is not loaded.
//
// RUN: %cc %llvm %s %client -o %t %gen
// RUN: %t | FileCheck %s
//
// CHECK-LABEL: window:
// CHECK-NOT:  declare
// CHECK:      define i32 @client(ptr %0, i32 %1)
// CHECK-NEXT: entry:
// CHECK:        %base = load ptr
// CHECK:        %heap_end = load {{.*}}i64
// CHECK-NEXT:   %index = zext i32 %1 to i64
// CHECK-NEXT:   %offset = sub i64 %index, 65536
// CHECK-NEXT:   %ok = icmp ule i64 %offset, 4092
// CHECK-NEXT:   br i1 %ok, label %access, label %client.fault, !prof
// CHECK-EMPTY:
// CHECK-NEXT: access:
// CHECK-NEXT:   %host = getelementptr i8, ptr %base, i64 %index
// CHECK-NEXT:   %raw = load i32, ptr %host, align 1, !tbaa
// CHECK:        ret i32
// CHECK:      client.fault:
// CHECK-NEXT:   %{{[0-9]+}} = phi i32 [ 1, %entry ]
// CHECK-NOT:  declare
//
// A second edge of the same access: both meet in a block of memfold's, so that the phi has one entry.
// CHECK-LABEL: two windows:
// CHECK-NOT:  declare
// CHECK:        br i1 %ok, label %check.not-in-hole, label %fault, !prof
// CHECK:        br i1 %{{.*}}, label %access, label %fault, !prof
// CHECK:      client.fault:
// CHECK-NEXT:   %{{[0-9]+}} = phi i32 [ 1, %fault ]
// CHECK:      fault:
// CHECK-NEXT:   br label %client.fault
// CHECK-NOT:  declare
//
// CHECK-LABEL: heap:
// CHECK-NOT:  declare i32 @mf_
// CHECK:        sub nuw i64 %heap_end,
// CHECK-NOT:    load
// CHECK:        br i1 %{{.*}}, label %access, label %client.fault
//
// CHECK-LABEL: paged:
// CHECK-NOT:  declare i32 @mf_
// CHECK:        callbr i64 asm sideeffect {{.*}}(ptr elementtype(i32) %host)
// CHECK-NEXT:     to label %access.done [label %client.fault]
// CHECK:      client.fault:
// CHECK-NEXT:   %{{[0-9]+}} = phi i32 [ 1, %entry ]
//
// CHECK-LABEL: range:
// CHECK-NOT:  declare
// CHECK:        br i1 %{{.*}}, label %range.ok, label %client.fault
// CHECK:        phi i32 [ 1, %entry ]
//
// A block that nothing reaches has no phi left.
// CHECK-LABEL: always allowed:
// CHECK-NOT:  declare
// CHECK:      client.fault:
// CHECK-NEXT:   ret i32 poison
//
// CHECK:      jit: invalid-argument: on_fault = branch is for accesses that are emitted one by one, not for functions
// CHECK-NEXT: emit: invalid-argument: on_fault = branch is for accesses
// CHECK-NEXT: define: invalid-argument: on_fault = branch is for accesses
// CHECK-NEXT: stale: invalid-argument: stale = check does not go with on_fault = branch, which calls nothing
// CHECK-NEXT: generic: none
#include "client.h"

#include <memfold/aot.h>
#include <memfold/embed.h>
#include <memfold/generic.h>
#include <memfold/jit.h>
#include <memfold/plan.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct place {
    uint64_t start;
    uint64_t size;
} place;

static mf_layout *make_layout(const place *regions, size_t count, mf_heap heap) {
    mf_layout *layout;
    mf_diag diag;
    mf_layout_builder *builder = mf_layout_builder_create();
    for (size_t i = 0; i < count; i++)
        client_must(mf_layout_builder_map_region(builder, regions[i].start, regions[i].size, MF_READ_WRITE,
                                                 NULL, 0, &diag),
                    &diag, "map_region");
    if (heap.max_pages > 0)
        client_must(mf_layout_builder_set_heap(builder, heap.base, heap.max_pages, &diag), &diag, "set_heap");
    client_must(mf_layout_builder_finish(builder, &layout, NULL, &diag), &diag, "finish");
    mf_layout_builder_destroy(builder);
    return layout;
}

typedef enum kind { LOAD, CONSTANT, RANGE } kind;

/* uint32_t client(view, address): the word there, or 1 from the fault block. */
static void print(const char *title, mf_layout *layout, mf_backend backend, kind kind) {
    mf_accessor_options options = {.backend = backend, .on_fault = MF_ON_FAULT_BRANCH};
    client_module m = client_module_create(title);
    mf_embed *embed;
    mf_diag diag;
    client_must(mf_embed_create(m.module, layout, &options, &embed, &diag), &diag, "mf_embed_create");
    LLVMTypeRef t_i32 = LLVMInt32TypeInContext(m.context);
    LLVMTypeRef parameters[] = {LLVMPointerTypeInContext(m.context, 0), t_i32};
    LLVMValueRef f = client_function_begin(&m, "client", LLVMFunctionType(t_i32, parameters, 2, false));
    LLVMBasicBlockRef from = NULL;
    mf_embed_access access = {.view = LLVMGetParam(f, 0), .address = LLVMGetParam(f, 1)};
    access.fault_block = LLVMAppendBasicBlockInContext(m.context, f, "client.fault");
    access.base = mf_embed_load_base(embed, m.builder, access.view);
    access.heap_end = mf_embed_load_heap_end(embed, m.builder, access.view);
    LLVMValueRef v_result = LLVMConstInt(t_i32, 0, false);
    LLVMValueRef v_length = LLVMConstInt(LLVMInt64TypeInContext(m.context), 100, false);
    if (kind == CONSTANT)
        access.address = LLVMConstInt(t_i32, 0x10010, false);
    if (kind == RANGE)
        mf_embed_check_range(embed, m.builder, &access, v_length, MF_LOAD, &from);
    else
        v_result = mf_embed_load(embed, m.builder, &access, t_i32, &from);
    LLVMBuildRet(m.builder, v_result);

    LLVMPositionBuilderAtEnd(m.builder, access.fault_block);
    LLVMValueRef v_phi = LLVMBuildPhi(m.builder, t_i32, "");
    LLVMValueRef v_one = LLVMConstInt(t_i32, 1, false);
    if (from != NULL)
        LLVMAddIncoming(v_phi, &v_one, &from, 1);
    LLVMBuildRet(m.builder, v_phi);
    mf_embed_end_fault_block(access.fault_block);
    mf_embed_destroy(embed);
    client_module_optimise(&m, NULL);
    char *text = LLVMPrintModuleToString(m.module);
    printf("%s:\n%s\n", title, text);
    LLVMDisposeMessage(text);
    client_module_destroy(&m);
}

static void print_refusal(const char *title, mf_status status, const mf_diag *diag) {
    printf("%s: %s: %s\n", title, mf_status_name(status), diag->message);
}

static void print_refusals(const mf_layout *layout) {
    mf_accessor_options options = {.on_fault = MF_ON_FAULT_BRANCH};
    mf_accessor_options stale = {.on_fault = MF_ON_FAULT_BRANCH, .stale = MF_STALE_CHECK};
    mf_aot_options aot = {.accessors = options, .symbol_prefix = "guest"};
    client_module m = client_module_create("refused");
    mf_jit *jit;
    mf_code *code;
    mf_diag diag;
    client_must(mf_jit_create(NULL, &jit, &diag), &diag, "mf_jit_create");
    print_refusal("jit", mf_jit_get(jit, layout, &options, &code, &diag), &diag);
    mf_jit_destroy(jit);
    char *bytes;
    size_t count;
    print_refusal("emit", mf_aot_emit(layout, &aot, MF_EMIT_OBJECT, &bytes, &count, &diag), &diag);
    print_refusal("define", mf_embed_define(m.module, layout, &options, "guest", NULL, &diag), &diag);
    print_refusal("stale", mf_accessor_options_validate(&stale, &diag), &diag);
    printf("generic: %s\n", mf_generic_accessors(&options) == NULL ? "none" : "some");
    client_module_destroy(&m);
}

int main(void) {
    static const place ONE[] = {{0x10000, 0x1000}}, TWO[] = {{0x10000, 0x1000}, {0x20000, 0x1000}};
    mf_heap none = {0, 0}, heap = {0x11000, 4};
    client_start();
    mf_layout *one = make_layout(ONE, 1, none), *two = make_layout(TWO, 2, none);
    mf_layout *grows = make_layout(ONE, 1, heap);
    print("window", one, MF_BACKEND_COPY, LOAD);
    print("two windows", two, MF_BACKEND_COPY, LOAD);
    print("heap", grows, MF_BACKEND_COPY, LOAD);
    print("paged", one, MF_BACKEND_X86_PAGED, LOAD);
    print("range", one, MF_BACKEND_COPY, RANGE);
    print("always allowed", one, MF_BACKEND_COPY, CONSTANT);
    print_refusals(one);
    mf_layout_release(one);
    mf_layout_release(two);
    mf_layout_release(grows);
    client_stop();
    return 0;
}
