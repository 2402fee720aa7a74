// A client that forgets the exception table of a module hears of it when the module is compiled: by the
// diagnostic handler of its context, or LLVM prints the error and ends the process. Who has defined the
// table, under a name or under none, gets the entries and no other symbol.
//
// RUN: %cc %llvm %s %client -o %t %gen
// RUN: %t > %t.log
// RUN: FileCheck %s < %t.log
// RUN: not %t create 2>&1 | FileCheck %s --check-prefix=ENDS
// RUN: not %t define 2>&1 | FileCheck %s --check-prefix=ENDS
// RUN: not %t jit 2>&1 | FileCheck %s --check-prefix=ENDS
//
// CHECK:      create, forgotten: error: {{.*}}a module with paged accesses has no exception table: call mf_embed_define_exception_table
// CHECK-NEXT: create, no name: 8 bytes of entries
// CHECK-NEXT: create, a name: 8 bytes of entries, symbol table
// CHECK-NEXT: define, forgotten: error: {{.*}}a module with paged accesses has no exception table: call mf_embed_define_exception_table
// CHECK-NEXT: define, no name: 8 bytes of entries
// CHECK-NEXT: define, a name: 8 bytes of entries, symbol table
// CHECK-NEXT: trap, forgotten: 0 bytes of entries
// CHECK-NEXT: copy, forgotten: 0 bytes of entries
//
// ENDS: error: {{.*}}a module with paged accesses has no exception table
// ENDS-NOT: has been compiled
#include "client.h"

#include <memfold/embed.h>

#include <llvm-c/Object.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static mf_layout *layout;
static LLVMTargetMachineRef machine;

static void make_layout(void) {
    mf_diag diag;
    mf_layout_builder *builder = mf_layout_builder_create();
    client_must(mf_layout_builder_map_region(builder, 0x20000, 0x1000, MF_READ_WRITE, NULL, 0, &diag), &diag,
                "map_region");
    client_must(mf_layout_builder_finish(builder, &layout, NULL, &diag), &diag, "finish");
    mf_layout_builder_destroy(builder);
}

static void make_machine(void) {
    LLVMTargetRef target;
    char *triple = LLVMGetDefaultTargetTriple();
    if (LLVMGetTargetFromTriple(triple, &target, NULL))
        exit(1);
    machine = LLVMCreateTargetMachine(target, triple, "", "", LLVMCodeGenLevelDefault, LLVMRelocPIC,
                                      LLVMCodeModelDefault);
    LLVMDisposeMessage(triple);
}

/* ---- Modules: f(view, address) loads a word; a fault leads to 0 ---- */

static LLVMValueRef begin(const client_module *m) {
    LLVMTypeRef t_i32 = LLVMInt32TypeInContext(m->context);
    LLVMTypeRef parameters[] = {LLVMPointerTypeInContext(m->context, 0), t_i32};
    return client_function_begin(m, "f", LLVMFunctionType(t_i32, parameters, 2, 0));
}

static void build_access(const client_module *m, const mf_accessor_options *options) {
    LLVMTypeRef t_i32 = LLVMInt32TypeInContext(m->context);
    LLVMValueRef f = begin(m);
    mf_embed *embed;
    mf_diag diag;
    mf_embed_access access = {.view = LLVMGetParam(f, 0), .address = LLVMGetParam(f, 1)};
    if (options->on_fault != MF_ON_FAULT_TRAP)
        access.fault_block = LLVMAppendBasicBlockInContext(m->context, f, "fault");
    client_must(mf_embed_create(m->module, layout, options, &embed, &diag), &diag, "create");
    LLVMBuildRet(m->builder, mf_embed_load(embed, m->builder, &access, t_i32, NULL));
    if (access.fault_block != NULL) {
        LLVMPositionBuilderAtEnd(m->builder, access.fault_block);
        LLVMBuildRet(m->builder, LLVMConstInt(t_i32, 0, false));
    }
    mf_embed_destroy(embed);
}

static void build_call(const client_module *m, const mf_accessor_options *options) {
    LLVMValueRef functions[MF_ACCESSOR_COUNT];
    LLVMTypeRef t_i32 = LLVMInt32TypeInContext(m->context);
    mf_diag diag;
    client_must(mf_embed_define(m->module, layout, options, "guest", functions, &diag), &diag, "define");
    LLVMValueRef f = begin(m);
    LLVMTypeRef t_load = LLVMGlobalGetValueType(functions[MF_LOAD_U32]);
    LLVMValueRef arguments[] = {LLVMGetParam(f, 0), LLVMGetParam(f, 1)};
    LLVMValueRef v_result = LLVMBuildCall2(m->builder, t_load, functions[MF_LOAD_U32], arguments, 2, "");
    LLVMValueRef v_value = LLVMBuildExtractValue(m->builder, v_result, 0, "");
    LLVMValueRef v_word = LLVMBuildTrunc(m->builder, v_value, t_i32, "");
    LLVMBuildRet(m->builder, v_word);
}

typedef void build_fn(const client_module *m, const mf_accessor_options *options);

static client_module build(build_fn *fill, mf_accessor_options options) {
    client_module m = client_module_create("forgotten");
    fill(&m, &options);
    client_module_optimise(&m, "default<O1>");
    return m;
}

/* ---- Objects ---- */

static void print_error(LLVMDiagnosticInfoRef info, void *count) {
    char *text = LLVMGetDiagInfoDescription(info);
    if (LLVMGetDiagInfoSeverity(info) == LLVMDSError && (*(int *)count)++ == 0)
        printf("error: %.*s\n", (int)strcspn(text, "\n"), text);
    LLVMDisposeMessage(text);
}

static bool is_name(const char *found, const char *name) {
    return found != NULL && strcmp(found, name) == 0;
}

/* How many entries there are, and what has been defined besides the function. */
static void print_object(LLVMMemoryBufferRef object) {
    LLVMBinaryRef binary = LLVMCreateBinary(object, NULL, NULL);
    LLVMSectionIteratorRef s = LLVMObjectFileCopySectionIterator(binary);
    uint64_t bytes = 0;
    for (; !LLVMObjectFileIsSectionIteratorAtEnd(binary, s); LLVMMoveToNextSection(s))
        if (is_name(LLVMGetSectionName(s), MF_EXCEPTION_SECTION))
            bytes += LLVMGetSectionSize(s);
    LLVMDisposeSectionIterator(s);
    printf("%d bytes of entries", (int)bytes);
    LLVMSymbolIteratorRef symbol = LLVMObjectFileCopySymbolIterator(binary);
    for (; !LLVMObjectFileIsSymbolIteratorAtEnd(binary, symbol); LLVMMoveToNextSymbol(symbol))
        if (!is_name(LLVMGetSymbolName(symbol), "f") && LLVMGetSymbolSize(symbol) > 0)
            printf(", symbol %s", LLVMGetSymbolName(symbol));
    LLVMDisposeSymbolIterator(symbol);
    LLVMDisposeBinary(binary);
    puts("");
}

/* Compiles the module, which it takes, and prints the object or the error. */
static void compile(const char *title, client_module m, bool is_handled) {
    char *message = NULL;
    LLVMMemoryBufferRef object = NULL;
    int errors = 0;
    printf("%s: ", title);
    fflush(stdout);
    if (is_handled)
        LLVMContextSetDiagnosticHandler(m.context, print_error, &errors);
    if (LLVMTargetMachineEmitToMemoryBuffer(machine, m.module, LLVMObjectFile, &message, &object)) {
        printf("%s\n", message);
        exit(1);
    }
    if (errors == 0)
        print_object(object);
    LLVMDisposeMemoryBuffer(object);
    client_module_destroy(&m);
}

static void compile_with_table(const char *title, build_fn *fill, const char *name) {
    mf_accessor_options options = {.backend = MF_BACKEND_X86_PAGED};
    mf_diag diag;
    client_module m = build(fill, options);
    client_must(mf_embed_define_exception_table(m.module, name, &diag), &diag, "table");
    compile(title, m, true);
}

static void compile_all(void) {
    mf_accessor_options returns = {.backend = MF_BACKEND_X86_PAGED};
    mf_accessor_options traps = {.backend = MF_BACKEND_X86_PAGED, .on_fault = MF_ON_FAULT_TRAP};
    compile("create, forgotten", build(build_access, returns), true);
    compile_with_table("create, no name", build_access, NULL);
    compile_with_table("create, a name", build_access, "table");
    compile("define, forgotten", build(build_call, returns), true);
    compile_with_table("define, no name", build_call, NULL);
    compile_with_table("define, a name", build_call, "table");
    compile("trap, forgotten", build(build_access, traps), true);
    compile("copy, forgotten", build(build_access, (mf_accessor_options){0}), true);
}

/* Without a handler. */
static void compile_one(const char *way) {
    mf_accessor_options options = {.backend = MF_BACKEND_X86_PAGED, .on_fault = MF_ON_FAULT_RETURN};
    client_module m = build(strcmp(way, "define") == 0 ? build_call : build_access, options);
    if (strcmp(way, "jit") == 0) {
        client_module_load(&m, NULL);
        client_lookup("f");
    } else {
        compile(way, m, false);
    }
    puts("it has been compiled");
}

int main(int argc, char **argv) {
    client_start();
    make_machine();
    make_layout();
    if (argc > 1)
        compile_one(argv[1]);
    else
        compile_all();
    LLVMDisposeTargetMachine(machine);
    mf_layout_release(layout);
    client_stop();
    return 0;
}
