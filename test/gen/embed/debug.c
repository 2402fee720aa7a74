// Debug locations: every instruction that is emitted has the builder's, on both backends and also in the cold
// blocks; the verifier is content, before and after optimisation.
//
// RUN: %cc %llvm %s %client -o %t %gen
// RUN: %t | FileCheck %s
//
// CHECK: copy, return: {{[1-9][0-9]*}} instructions at line 7, 0 elsewhere
// CHECK-NEXT: copy, trap: {{[1-9][0-9]*}} instructions at line 7, 0 elsewhere
// CHECK-NEXT: copy, spectre: {{[1-9][0-9]*}} instructions at line 7, 0 elsewhere
// CHECK-NEXT: paged, return: {{[1-9][0-9]*}} instructions at line 7, 0 elsewhere
// CHECK-NEXT: paged, trap: {{[1-9][0-9]*}} instructions at line 7, 0 elsewhere
// CHECK-NEXT: of the call that is inlined: {{[1-9][0-9]*}} at line 9
// CHECK-LABEL: define {{.*}} @guest(
// CHECK:         load i32, ptr {{.*}}!dbg [[HERE:![0-9]+]]
// CHECK:         call {{.*}} @mf_rt_fault_v3({{.*}} !dbg [[HERE]]
// CHECK:       [[HERE]] = !DILocation(line: 7,
#include "client.h"

#include <memfold/embed.h>

#include <llvm-c/DebugInfo.h>

#include <stdio.h>
#include <string.h>

static mf_layout *layout;

/* A module with a function `guest` that has a subprogram, and the builder at line 7 of it. */
typedef struct session {
    client_module m;
    LLVMDIBuilderRef debug;
    LLVMMetadataRef file, scope;
    LLVMTypeRef t_i32;
    LLVMValueRef function;
} session;

static void make_layout(void) {
    mf_diag diag;
    mf_layout_builder *builder = mf_layout_builder_create();
    for (uint64_t start = 0; start < 0x6000; start += 0x2000)
        client_must(mf_layout_builder_map_region(builder, start, 0x1000, MF_READ_WRITE, NULL, 0, &diag),
                    &diag, "map_region");
    client_must(mf_layout_builder_finish(builder, &layout, NULL, &diag), &diag, "finish");
    mf_layout_builder_destroy(builder);
}

static LLVMMetadataRef make_scope(session *s) {
    LLVMDIBuilderRef d = s->debug;
    s->file = LLVMDIBuilderCreateFile(d, "guest.s", 7, "/", 1);
    LLVMDIBuilderCreateCompileUnit(d, LLVMDWARFSourceLanguageC, s->file, "test", 4, true, "", 0, 0, "", 0,
                                   LLVMDWARFEmissionFull, 0, false, false, "", 0, "", 0);
    LLVMMetadataRef type = LLVMDIBuilderCreateSubroutineType(d, s->file, NULL, 0, LLVMDIFlagZero);
    return LLVMDIBuilderCreateFunction(d, s->file, "guest", 5, "guest", 5, s->file, 1, type, false, true, 1,
                                       LLVMDIFlagZero, true);
}

static void stand_at_line(session *s, unsigned line) {
    LLVMMetadataRef here = LLVMDIBuilderCreateDebugLocation(s->m.context, line, 1, s->scope, NULL);
    LLVMSetCurrentDebugLocation2(s->m.builder, here);
}

static session session_begin(void) {
    session s = {.m = client_module_create("debug")};
    s.t_i32 = LLVMInt32TypeInContext(s.m.context);
    LLVMMetadataRef number = LLVMValueAsMetadata(LLVMConstInt(s.t_i32, LLVMDebugMetadataVersion(), false));
    LLVMAddModuleFlag(s.m.module, LLVMModuleFlagBehaviorWarning, "Debug Info Version",
                      strlen("Debug Info Version"), number);
    s.debug = LLVMCreateDIBuilder(s.m.module);
    s.scope = make_scope(&s);
    LLVMTypeRef parameters[] = {LLVMPointerTypeInContext(s.m.context, 0), s.t_i32};
    s.function = client_function_begin(&s.m, "guest", LLVMFunctionType(s.t_i32, parameters, 2, false));
    LLVMSetSubprogram(s.function, s.scope);
    stand_at_line(&s, 7);
    return s;
}

/* A load, a range check, and a store of what was loaded. */
static void build_accesses(session *s, const mf_accessor_options *options) {
    LLVMBuilderRef b = s->m.builder;
    mf_embed *embed;
    mf_diag diag;
    client_must(mf_embed_create(s->m.module, layout, options, &embed, &diag), &diag, "mf_embed_create");
    mf_embed_access access = {.view = LLVMGetParam(s->function, 0), .address = LLVMGetParam(s->function, 1)};
    access.fault_block = LLVMAppendBasicBlockInContext(s->m.context, s->function, "client.fault");
    LLVMValueRef v_loaded = mf_embed_load(embed, b, &access, s->t_i32, NULL);
    access.offset = 64;
    LLVMValueRef v_length = LLVMBuildZExt(b, v_loaded, LLVMInt64TypeInContext(s->m.context), "");
    mf_embed_check_range(embed, b, &access, v_length, MF_LOAD, NULL);
    mf_embed_store(embed, b, &access, v_loaded, NULL);
    LLVMBuildRet(b, v_loaded);
    LLVMPositionBuilderAtEnd(b, access.fault_block);
    LLVMBuildRet(b, LLVMConstInt(s->t_i32, 0, false));
    mf_embed_destroy(embed);
}

static unsigned count_at_line(LLVMValueRef function, unsigned line, unsigned *elsewhere) {
    unsigned count = 0;
    for (LLVMBasicBlockRef b = LLVMGetFirstBasicBlock(function); b != NULL; b = LLVMGetNextBasicBlock(b))
        for (LLVMValueRef i = LLVMGetFirstInstruction(b); i != NULL; i = LLVMGetNextInstruction(i)) {
            bool is_here = LLVMInstructionGetDebugLoc(i) != NULL && LLVMGetDebugLocLine(i) == line;
            count += is_here;
            *elsewhere += !is_here;
        }
    return count;
}

static void print_module(const session *s) {
    char *text = LLVMPrintModuleToString(s->m.module);
    printf("%s", text);
    LLVMDisposeMessage(text);
}

static void session_end(session *s, bool prints) {
    LLVMDIBuilderFinalize(s->debug);
    client_module_optimise(&s->m, "default<O2>");
    if (prints)
        print_module(s);
    LLVMDisposeDIBuilder(s->debug);
    client_module_destroy(&s->m);
}

static void run(const char *title, mf_accessor_options options) {
    session s = session_begin();
    unsigned elsewhere = 0;
    build_accesses(&s, &options);
    unsigned here = count_at_line(s.function, 7, &elsewhere);
    printf("%s: %u instructions at line 7, %u elsewhere\n", title, here, elsewhere);
    session_end(&s, false);
}

/* Defined functions have no debug information; inlined, they are at the line of the call. */
static void run_inlined(void) {
    LLVMValueRef functions[MF_ACCESSOR_COUNT];
    session s = session_begin();
    mf_diag diag;
    unsigned elsewhere = 0;
    client_must(mf_embed_define(s.m.module, layout, NULL, "in", functions, &diag), &diag, "mf_embed_define");
    stand_at_line(&s, 9);
    LLVMValueRef callee = functions[MF_LOAD_U32];
    LLVMValueRef arguments[] = {LLVMGetParam(s.function, 0), LLVMGetParam(s.function, 1)};
    LLVMValueRef v_result =
        LLVMBuildCall2(s.m.builder, LLVMGlobalGetValueType(callee), callee, arguments, 2, "");
    LLVMValueRef v_status = LLVMBuildExtractValue(s.m.builder, v_result, 1, "");
    LLVMBuildRet(s.m.builder, v_status);
    LLVMDIBuilderFinalize(s.debug);
    client_module_optimise(&s.m, "always-inline");
    printf("of the call that is inlined: %u at line 9\n", count_at_line(s.function, 9, &elsewhere));
    session_end(&s, false);
}

int main(void) {
    client_start();
    make_layout();
    run("copy, return", (mf_accessor_options){0});
    run("copy, trap", (mf_accessor_options){.on_fault = MF_ON_FAULT_TRAP});
    run("copy, spectre", (mf_accessor_options){.spectre = MF_SPECTRE_MASK});
    run("paged, return", (mf_accessor_options){.backend = MF_BACKEND_X86_PAGED});
    run("paged, trap", (mf_accessor_options){.backend = MF_BACKEND_X86_PAGED, .on_fault = MF_ON_FAULT_TRAP});
    run_inlined();
    session s = session_begin();
    build_accesses(&s, NULL);
    session_end(&s, true);
    mf_layout_release(layout);
    client_stop();
    return 0;
}
