/*
 * A JIT by LLVM that emits the guest's accesses into its own code: a loop that adds up words is built through
 * LLVM's C API, and memfold emits the load where the builder stands. On x86_paged a load is one instruction;
 * where it faults the code goes on at the fault block, with the record in the view.
 *
 *     $ cc llvm_jit.c $(pkg-config --cflags --libs memfold-gen) \
 *         $($(pkg-config --variable=llvm_config memfold-gen) --cflags --libs) -o llvm_jit
 *     $ ./llvm_jit
 */
#include <memfold/embed.h>
#include <memfold/memory.h>
#include <llvm-c/LLJIT.h>
#include <llvm-c/Target.h>
#include <llvm-c/TargetMachine.h>
#include <llvm-c/Transforms/PassBuilder.h>
#include <stdio.h>
#include <stdlib.h>

typedef uint64_t sum_function(mf_view *view, uint32_t address, uint32_t count);

/* Trouble of the host or of LLVM ends this program; a guest's does not. */
static void must(bool is_fine, const char *message) {
    if (!is_fine) {
        fprintf(stderr, "%s\n", message);
        exit(1);
    }
}

static void must_llvm(LLVMErrorRef error) {
    must(error == NULL, error == NULL ? "" : LLVMGetErrorMessage(error));
}

/* The sum of `count` words from `address` on, or all ones after a fault. */
static void build_sum(LLVMModuleRef module, const mf_embed *embed) {
    LLVMContextRef context = LLVMGetModuleContext(module);
    LLVMTypeRef i32 = LLVMInt32TypeInContext(context), i64 = LLVMInt64TypeInContext(context);
    LLVMTypeRef parameters[] = {LLVMPointerTypeInContext(context, 0), i32, i32};
    LLVMValueRef f = LLVMAddFunction(module, "sum", LLVMFunctionType(i64, parameters, 3, 0));
    LLVMBasicBlockRef entry = LLVMAppendBasicBlockInContext(context, f, "entry");
    LLVMBasicBlockRef loop = LLVMAppendBasicBlockInContext(context, f, "loop");
    LLVMBasicBlockRef body = LLVMAppendBasicBlockInContext(context, f, "body");
    LLVMBasicBlockRef done = LLVMAppendBasicBlockInContext(context, f, "done");
    LLVMBasicBlockRef fault = LLVMAppendBasicBlockInContext(context, f, "fault");
    LLVMBuilderRef builder = LLVMCreateBuilderInContext(context);

    LLVMPositionBuilderAtEnd(builder, entry);
    mf_embed_access access = {.view = LLVMGetParam(f, 0), .fault_block = fault};
    LLVMBuildBr(builder, loop);

    LLVMPositionBuilderAtEnd(builder, loop);
    LLVMValueRef index = LLVMBuildPhi(builder, i32, "index");
    LLVMValueRef sum = LLVMBuildPhi(builder, i64, "sum");
    LLVMValueRef is_more = LLVMBuildICmp(builder, LLVMIntULT, index, LLVMGetParam(f, 2), "");
    LLVMBuildCondBr(builder, is_more, body, done);

    LLVMPositionBuilderAtEnd(builder, body);
    LLVMValueRef offset = LLVMBuildShl(builder, index, LLVMConstInt(i32, 2, 0), "");
    access.address = LLVMBuildAdd(builder, LLVMGetParam(f, 1), offset, "");
    LLVMValueRef word = mf_embed_load(embed, builder, &access, i32, NULL);
    LLVMValueRef wide = LLVMBuildZExt(builder, word, i64, "");
    LLVMValueRef next_sum = LLVMBuildAdd(builder, sum, wide, "");
    LLVMValueRef next_index = LLVMBuildAdd(builder, index, LLVMConstInt(i32, 1, 0), "");
    LLVMBasicBlockRef body_end = LLVMGetInsertBlock(builder); // the load has gone on in another block
    LLVMBuildBr(builder, loop);

    LLVMValueRef indices[] = {LLVMConstNull(i32), next_index}, sums[] = {LLVMConstNull(i64), next_sum};
    LLVMBasicBlockRef from[] = {entry, body_end};
    LLVMAddIncoming(index, indices, from, 2);
    LLVMAddIncoming(sum, sums, from, 2);
    LLVMPositionBuilderAtEnd(builder, done);
    LLVMBuildRet(builder, sum);
    LLVMPositionBuilderAtEnd(builder, fault);
    LLVMBuildRet(builder, LLVMConstAllOnes(i64));
    LLVMDisposeBuilder(builder);
}

/* The function as an object; `triple` and `data_layout` are those of the JIT that will load it. */
static LLVMMemoryBufferRef compile(const mf_layout *layout, const char *triple, const char *data_layout) {
    LLVMContextRef context = LLVMContextCreate();
    LLVMModuleRef module = LLVMModuleCreateWithNameInContext("guest", context);
    mf_accessor_options options = {.backend = MF_BACKEND_X86_PAGED};
    mf_embed *embed;
    mf_diag diag;
    LLVMTargetRef target;
    LLVMMemoryBufferRef object;
    char *message = NULL;
    LLVMSetTarget(module, triple);
    LLVMSetDataLayout(module, data_layout);
    must(mf_embed_create(module, layout, &options, &embed, &diag) == MF_OK, diag.message);
    build_sum(module, embed);
    must(mf_embed_define_exception_table(module, "sum_exceptions", &diag) == MF_OK, diag.message);
    mf_embed_destroy(embed);

    must(!LLVMGetTargetFromTriple(triple, &target, &message), message);
    LLVMTargetMachineRef machine = LLVMCreateTargetMachine(target, triple, "", "", LLVMCodeGenLevelDefault,
                                                           LLVMRelocPIC, LLVMCodeModelJITDefault);
    LLVMPassBuilderOptionsRef passes = LLVMCreatePassBuilderOptions();
    must_llvm(LLVMRunPasses(module, "default<O2>", machine, passes));
    must(!LLVMTargetMachineEmitToMemoryBuffer(machine, module, LLVMObjectFile, &message, &object), message);
    LLVMDisposePassBuilderOptions(passes);
    LLVMDisposeTargetMachine(machine);
    LLVMDisposeModule(module);
    LLVMContextDispose(context);
    return object;
}

/* What the code calls is in this process, where the JIT finds it by its name. */
static void find_runtime(LLVMOrcLLJITRef jit) {
    LLVMOrcDefinitionGeneratorRef process;
    char prefix = LLVMOrcLLJITGetGlobalPrefix(jit);
    must_llvm(LLVMOrcCreateDynamicLibrarySearchGeneratorForProcess(&process, prefix, NULL, NULL));
    LLVMOrcJITDylibAddGenerator(LLVMOrcLLJITGetMainJITDylib(jit), process);
}

static uintptr_t find(LLVMOrcLLJITRef jit, const char *name) {
    LLVMOrcExecutorAddress address;
    must_llvm(LLVMOrcLLJITLookup(jit, &address, name));
    return (uintptr_t)address;
}

int main(void) {
    static const uint32_t words[] = {1, 2, 3, 4, 5};
    mf_memory *memory;
    mf_layout *layout;
    mf_diag diag;
    LLVMOrcLLJITRef jit;
    must(mf_memory_create(NULL, NULL, MF_BACKEND_X86_PAGED, &memory, &diag) == MF_OK &&
             mf_memory_map_region(memory, 0x20000, 4096, MF_READ_WRITE, words, sizeof words, &diag) ==
                 MF_OK &&
             mf_memory_layout(memory, &layout, &diag) == MF_OK,
         diag.message);
    LLVMInitializeNativeTarget();
    LLVMInitializeNativeAsmPrinter();
    must_llvm(LLVMOrcCreateLLJIT(&jit, NULL));
    find_runtime(jit);
    LLVMMemoryBufferRef object =
        compile(layout, LLVMOrcLLJITGetTripleString(jit), LLVMOrcLLJITGetDataLayoutStr(jit));
    must_llvm(LLVMOrcLLJITAddObjectFile(jit, LLVMOrcLLJITGetMainJITDylib(jit), object));
    sum_function *sum = (sum_function *)find(jit, "sum");
    const mf_embed_exception_table *table = (const mf_embed_exception_table *)find(jit, "sum_exceptions");
    must(mf_exception_table_register(table->begin, (size_t)(table->end - table->begin), &diag) == MF_OK,
         diag.message);

    mf_view *view = mf_memory_view(memory);
    printf("%d\n", (int)sum(view, 0x20000, 5));
    if (sum(view, 0x20f00, 100) == UINT64_MAX)
        printf("fault at 0x%x, page 0x%x\n", (unsigned)view->fault.address, (unsigned)view->fault.page);

    mf_exception_table_unregister(table->begin); // before the code goes
    must_llvm(LLVMOrcDisposeLLJIT(jit));
    mf_layout_release(layout);
    mf_memory_destroy(memory);
}
