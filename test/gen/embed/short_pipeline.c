// The short pipeline that embed.h names, before code generation without optimisation: the base is loaded
// once, before the loop, and a loop on paged returns from its fault edge with the number of the iteration.
//
// RUN: %cc %llvm %s %client -o %t %gen
// RUN: sed -n 's/.*"\(function(early-cse[^"]*\)".*/\1/p' %source/include/memfold/embed.h > %t.pipeline
// RUN: %t < %t.pipeline | FileCheck %s
//
// CHECK:      define i32 @sum2(
// CHECK:      %base = load ptr
// CHECK:      loop:
// CHECK-NOT:  %base =
// CHECK:      callbr i64 asm sideeffect "1: movl
// CHECK:      define i32 @sum0(
// CHECK:      on_fault 2: 16 words, then 16 before the fault
// CHECK-NEXT: on_fault 0: 16 words, then 16 before the fault
#include "client.h"

#include <memfold/embed.h>
#include <memfold/memory.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __clang__
#define CALLS_MADE_CODE __attribute__((no_sanitize("function")))
#else
#define CALLS_MADE_CODE
#endif

#define START 0x20000u
#define END 0x22000u

static mf_layout *layout;

/* ---- uint32_t sum(view, address, count): of `count` words, or how many there were before the fault ---- */

typedef struct loop {
    LLVMValueRef v_i, v_sum; /* phis */
    LLVMBasicBlockRef b_entry, b_loop, b_end, b_fault;
} loop;

static loop begin_loop(const client_module *m, LLVMValueRef f, LLVMTypeRef t_i32) {
    loop l = {.b_entry = LLVMGetInsertBlock(m->builder)};
    l.b_loop = LLVMAppendBasicBlockInContext(m->context, f, "loop");
    l.b_end = LLVMAppendBasicBlockInContext(m->context, f, "end");
    l.b_fault = LLVMAppendBasicBlockInContext(m->context, f, "client.fault");
    LLVMBuildBr(m->builder, l.b_loop);
    LLVMPositionBuilderAtEnd(m->builder, l.b_loop);
    l.v_i = LLVMBuildPhi(m->builder, t_i32, "i");
    l.v_sum = LLVMBuildPhi(m->builder, t_i32, "sum");
    return l;
}

static void end_loop(const client_module *m, const loop *l, LLVMValueRef v_next, LLVMValueRef v_sum,
                     LLVMValueRef v_count) {
    LLVMBasicBlockRef blocks[] = {l->b_entry, LLVMGetInsertBlock(m->builder)};
    LLVMValueRef v_zero = LLVMConstInt(LLVMTypeOf(v_sum), 0, false);
    LLVMValueRef numbers[] = {v_zero, v_next}, sums[] = {v_zero, v_sum};
    LLVMValueRef v_goes_on = LLVMBuildICmp(m->builder, LLVMIntULT, v_next, v_count, "");
    LLVMBuildCondBr(m->builder, v_goes_on, l->b_loop, l->b_end);
    LLVMAddIncoming(l->v_i, numbers, blocks, 2);
    LLVMAddIncoming(l->v_sum, sums, blocks, 2);
    LLVMPositionBuilderAtEnd(m->builder, l->b_end);
    LLVMBuildRet(m->builder, v_sum);
}

static void build_sum(const client_module *m, const mf_embed *embed, const char *name) {
    LLVMBuilderRef b = m->builder;
    LLVMTypeRef t_i32 = LLVMInt32TypeInContext(m->context);
    LLVMTypeRef parameters[] = {LLVMPointerTypeInContext(m->context, 0), t_i32, t_i32};
    LLVMValueRef f = client_function_begin(m, name, LLVMFunctionType(t_i32, parameters, 3, false));
    loop l = begin_loop(m, f, t_i32);
    LLVMBasicBlockRef from;
    LLVMValueRef v_offset = LLVMBuildShl(b, l.v_i, LLVMConstInt(t_i32, 2, false), "");
    mf_embed_access access = {.view = LLVMGetParam(f, 0),
                              .address = LLVMBuildAdd(b, LLVMGetParam(f, 1), v_offset, ""),
                              .fault_block = l.b_fault};
    LLVMValueRef v_word = mf_embed_load(embed, b, &access, t_i32, &from);
    LLVMValueRef v_sum = LLVMBuildAdd(b, l.v_sum, v_word, "");
    LLVMValueRef v_next = LLVMBuildAdd(b, l.v_i, LLVMConstInt(t_i32, 1, false), "");
    end_loop(m, &l, v_next, v_sum, LLVMGetParam(f, 2));
    LLVMPositionBuilderAtEnd(b, l.b_fault);
    LLVMValueRef v_at = LLVMBuildPhi(b, t_i32, "at");
    LLVMAddIncoming(v_at, &l.v_i, &from, 1);
    LLVMBuildRet(b, v_at);
}

/* ---- Runs ---- */

static client_code make(mf_on_fault on_fault, const char *name, const char *pipeline) {
    mf_accessor_options options = {.backend = MF_BACKEND_X86_PAGED, .on_fault = on_fault};
    client_module m = client_module_create(name);
    char table[32];
    mf_embed *embed;
    mf_diag diag;
    snprintf(table, sizeof table, "table_%s", name);
    client_must(mf_embed_create(m.module, layout, &options, &embed, &diag), &diag, "create");
    build_sum(&m, embed, name);
    mf_embed_destroy(embed);
    client_must(mf_embed_define_exception_table(m.module, table, &diag), &diag, "table");
    client_module_optimise(&m, pipeline);
    char *text = LLVMPrintModuleToString(m.module);
    printf("%s", text);
    LLVMDisposeMessage(text);
    return client_module_load(&m, table);
}

CALLS_MADE_CODE static void run(mf_on_fault on_fault, const char *name, mf_memory *memory) {
    uint32_t (*sum)(mf_view *view, uint32_t address, uint32_t count);
    uintptr_t host = client_lookup(name);
    memcpy(&sum, &host, sizeof host);
    mf_view *view = mf_memory_view(memory);
    unsigned all = sum(view, START, 16), before = sum(view, END - 64, 100);
    printf("on_fault %d: %u words, then %u before the fault\n", (int)on_fault, all / 0x01010101, before);
}

int main(void) {
    char pipeline[256];
    mf_layout_builder *builder = mf_layout_builder_create();
    mf_memory *memory;
    mf_diag diag;
    if (fgets(pipeline, sizeof pipeline, stdin) == NULL)
        return 1;
    pipeline[strcspn(pipeline, "\n")] = '\0';
    client_start_at(LLVMCodeGenLevelNone);
    client_must(mf_layout_builder_map_region(builder, START, END - START, MF_READ_WRITE, NULL, 0, &diag),
                &diag, "map_region");
    client_must(mf_layout_builder_finish(builder, &layout, NULL, &diag), &diag, "finish");
    mf_layout_builder_destroy(builder);
    client_must(mf_memory_create(layout, NULL, MF_BACKEND_X86_PAGED, &memory, &diag), &diag, "memory");
    if (!mf_memory_fill(memory, START, 1, END - START))
        return 1;
    client_code branches = make(MF_ON_FAULT_BRANCH, "sum2", pipeline);
    client_code returns = make(MF_ON_FAULT_RETURN, "sum0", pipeline);
    run(MF_ON_FAULT_BRANCH, "sum2", memory);
    run(MF_ON_FAULT_RETURN, "sum0", memory);
    client_code_unload(&branches);
    client_code_unload(&returns);
    mf_memory_destroy(memory);
    mf_layout_release(layout);
    client_stop();
    return 0;
}
