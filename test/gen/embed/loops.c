// Loops over guest words, built access by access and optimised by the default pipeline. No comparison on the
// address is left in a vectorised body, whether a fault returns or traps, and after a range check the
// accesses are plain.
//
// RUN: %cc %llvm %s %client -o %t %gen
// RUN: %t > %t.ll
// RUN: FileCheck %s --check-prefixes=CHECK,%if llvm-21 %{SINCE21%} %else %{BEFORE21%} < %t.ll
//
// CHECK-LABEL: define {{.*}} @sum_return(
// CHECK:         load ptr, ptr %{{.*}}, !invariant.load
// CHECK:       vector.body:
// CHECK-NOT:     icmp
// CHECK:         load <{{[0-9]+}} x i32>
// CHECK:         [[END:%.*]] = icmp eq i64 %index.next, %n.vec
// CHECK-NEXT:    br i1 [[END]]
// CHECK:         call {{.*}} @mf_rt_fault_v3(
// CHECK:       }
//
// CHECK-LABEL: define {{.*}} @sum_trap(
// CHECK:       vector.body:
// CHECK-NOT:     icmp
// CHECK:         load <{{[0-9]+}} x i32>
// CHECK:         [[END:%.*]] = icmp eq i64 %index.next, %n.vec
// CHECK-NEXT:    br i1 [[END]]
// CHECK:         call {{.*}} @mf_rt_trap_v3(
// CHECK:       }
//
// The same with a heap between two windows, whose end is read once.
// CHECK-LABEL: define {{.*}} @sum_heap(
// CHECK-COUNT-1: %heap_end = load atomic i64
// CHECK-NOT:     %heap_end{{[0-9]*}} = load
// CHECK:       vector.body:
// CHECK-NOT:     icmp
// CHECK:         load <{{[0-9]+}} x i32>
// CHECK:         [[END:%.*]] = icmp eq i64 %index.next, %n.vec
// CHECK-NEXT:    br i1 [[END]]
// CHECK:         call {{.*}} @mf_rt_trap_v3(
// CHECK:       }
//
// After one range check nothing else is compared but the end of the loop.
// CHECK-LABEL: define {{.*}} @sum_ranged(
// BEFORE21:      icmp ul{{[te]}} i64 %offset
// SINCE21:       %begins = icmp ult i32
// CHECK:         icmp ule i64 {{.*}}%room
// CHECK:       vector.body:
// CHECK-NOT:     icmp
// CHECK:         load <{{[0-9]+}} x i32>
// CHECK:         [[END:%.*]] = icmp eq i64 %index.next, %n.vec
// CHECK-NEXT:    br i1 [[END]]
// CHECK-NOT:     icmp u
// CHECK:         call {{.*}} @mf_rt_fault_v3(
// CHECK-NOT:     icmp u
// CHECK-NOT:     call {{.*}} @mf_rt
// CHECK:       }
//
// The same on paged, where checked accesses are instructions of their own.
// CHECK-LABEL: define {{.*}} @sum_ranged_paged(
// CHECK-NOT:     callbr
// CHECK:       vector.body:
// CHECK-NOT:     icmp
// CHECK:         load <{{[0-9]+}} x i32>
// CHECK-NOT:     callbr
// CHECK:       }
//
// CHECK-LABEL: define {{.*}} @sum_paged(
// CHECK-NOT:     icmp ul
// CHECK:         callbr i64 asm
// CHECK-NOT:     icmp ul
// CHECK:       }
#include "client.h"

#include <memfold/embed.h>

#include <stdio.h>

typedef struct loop {
    const char *name;
    mf_accessor_options options;
    bool is_ranged; /* one check before the loop, and unchecked accesses in it */
    bool has_heap;  /* and a window on each side of it */
} loop;

static const loop LOOPS[] = {
    {.name = "sum_return"},
    {.name = "sum_trap", .options = {.on_fault = MF_ON_FAULT_TRAP}},
    {.name = "sum_heap", .options = {.on_fault = MF_ON_FAULT_TRAP}, .has_heap = true},
    {.name = "sum_ranged", .is_ranged = true},
    {.name = "sum_ranged_paged", .options = {.backend = MF_BACKEND_X86_PAGED}, .is_ranged = true},
    {.name = "sum_paged", .options = {.backend = MF_BACKEND_X86_PAGED}},
};

/* What is at hand while one loop is built: uint32_t sum(view, address, count), or ~0 at a fault. */
typedef struct session {
    client_module m;
    mf_layout *layouts[2]; /* without and with a heap */
    mf_layout *layout;     /* of the loop */
    LLVMTypeRef t_i32, t_i64;
    LLVMValueRef function;
    mf_embed_access access;
} session;

static mf_layout *make_layout(bool has_heap) {
    mf_layout *layout;
    mf_diag diag;
    mf_layout_builder *builder = mf_layout_builder_create();
    client_must(mf_layout_builder_map_region(builder, 0x20000, 0x100000, MF_READ_WRITE, NULL, 0, &diag),
                &diag, "map_region");
    if (has_heap) {
        client_must(mf_layout_builder_map_region(builder, 0x800000, 0x1000, MF_READ_WRITE, NULL, 0, &diag),
                    &diag, "map_region");
        client_must(mf_layout_builder_set_heap(builder, 0x200000, 256, &diag), &diag, "set_heap");
    }
    client_must(mf_layout_builder_finish(builder, &layout, NULL, &diag), &diag, "finish");
    mf_layout_builder_destroy(builder);
    return layout;
}

static mf_embed *emitter(const session *s, mf_accessor_options options) {
    mf_embed *embed;
    mf_diag diag;
    client_must(mf_embed_create(s->m.module, s->layout, &options, &embed, &diag), &diag, "mf_embed_create");
    return embed;
}

/* for (i = 0, total = 0; i != count; i++) total += the word at address + 4 * i */
static void build_loop(const session *s, const mf_embed *embed) {
    LLVMBuilderRef b = s->m.builder;
    LLVMBasicBlockRef b_before = LLVMGetInsertBlock(b);
    LLVMBasicBlockRef b_body = LLVMAppendBasicBlockInContext(s->m.context, s->function, "body");
    LLVMBasicBlockRef b_done = LLVMAppendBasicBlockInContext(s->m.context, s->function, "done");
    LLVMValueRef v_zero = LLVMConstInt(s->t_i32, 0, false);
    LLVMBuildBr(b, b_body);

    LLVMPositionBuilderAtEnd(b, b_body);
    LLVMValueRef v_i = LLVMBuildPhi(b, s->t_i32, "i");
    LLVMValueRef v_total = LLVMBuildPhi(b, s->t_i32, "total");
    LLVMValueRef v_bytes = LLVMBuildNUWMul(b, v_i, LLVMConstInt(s->t_i32, 4, false), "");
    mf_embed_access access = s->access;
    access.address = LLVMBuildNUWAdd(b, s->access.address, v_bytes, "");
    LLVMValueRef v_word = mf_embed_load(embed, b, &access, s->t_i32, NULL);
    LLVMValueRef v_next_total = LLVMBuildAdd(b, v_total, v_word, "");
    LLVMValueRef v_next = LLVMBuildNUWAdd(b, v_i, LLVMConstInt(s->t_i32, 1, false), "");
    LLVMBasicBlockRef b_last = LLVMGetInsertBlock(b);
    LLVMValueRef v_more = LLVMBuildICmp(b, LLVMIntNE, v_next, LLVMGetParam(s->function, 2), "");
    LLVMBuildCondBr(b, v_more, b_body, b_done);

    LLVMAddIncoming(v_i, &v_zero, &b_before, 1);
    LLVMAddIncoming(v_i, &v_next, &b_last, 1);
    LLVMAddIncoming(v_total, &v_zero, &b_before, 1);
    LLVMAddIncoming(v_total, &v_next_total, &b_last, 1);
    LLVMPositionBuilderAtEnd(b, b_done);
    LLVMBuildRet(b, v_next_total);
}

static void build_range_check(session *s, const mf_embed *embed) {
    LLVMBuilderRef b = s->m.builder;
    LLVMValueRef v_count = LLVMBuildZExt(b, LLVMGetParam(s->function, 2), s->t_i64, "");
    LLVMValueRef v_length = LLVMBuildMul(b, v_count, LLVMConstInt(s->t_i64, 4, false), "");
    mf_embed_check_range(embed, b, &s->access, v_length, MF_LOAD, NULL);
}

static void begin_function(session *s, const char *name) {
    LLVMTypeRef parameters[] = {LLVMPointerTypeInContext(s->m.context, 0), s->t_i32, s->t_i32};
    s->function = client_function_begin(&s->m, name, LLVMFunctionType(s->t_i32, parameters, 3, false));
    LLVMBasicBlockRef b_fault = LLVMAppendBasicBlockInContext(s->m.context, s->function, "client.fault");
    LLVMBuilderRef elsewhere = LLVMCreateBuilderInContext(s->m.context);
    LLVMPositionBuilderAtEnd(elsewhere, b_fault);
    LLVMBuildRet(elsewhere, LLVMConstAllOnes(s->t_i32));
    LLVMDisposeBuilder(elsewhere);
    s->access = (mf_embed_access){.view = LLVMGetParam(s->function, 0),
                                  .address = LLVMGetParam(s->function, 1),
                                  .fault_block = b_fault};
}

static void build(session *s, const loop *wanted) {
    mf_accessor_options options = wanted->options;
    s->layout = s->layouts[wanted->has_heap];
    mf_embed *checking = emitter(s, options);
    options.policy = MF_POLICY_NONE;
    mf_embed *trusting = emitter(s, options);
    begin_function(s, wanted->name);
    if (wanted->is_ranged)
        build_range_check(s, checking);
    build_loop(s, wanted->is_ranged ? trusting : checking);
    mf_embed_destroy(trusting);
    mf_embed_destroy(checking);
}

int main(void) {
    client_start();
    session s = {.m = client_module_create("loops"), .layouts = {make_layout(false), make_layout(true)}};
    s.t_i32 = LLVMInt32TypeInContext(s.m.context);
    s.t_i64 = LLVMInt64TypeInContext(s.m.context);
    for (size_t i = 0; i < sizeof LOOPS / sizeof LOOPS[0]; i++)
        build(&s, &LOOPS[i]);
    client_module_optimise(&s.m, "default<O2>");
    char *text = LLVMPrintModuleToString(s.m.module);
    printf("%s", text);
    LLVMDisposeMessage(text);
    client_module_destroy(&s.m);
    mf_layout_release(s.layouts[0]);
    mf_layout_release(s.layouts[1]);
    client_stop();
    return 0;
}
