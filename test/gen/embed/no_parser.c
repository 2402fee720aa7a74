// A client whose own code has no assembly registers no parser for it. On x86_paged memfold does, from
// whichever thread comes first, and with an exception table: the modules compile, where LLVM would otherwise
// end the process.
//
// RUN: %cc %llvm %s -o %t %gen
// RUN: %t | FileCheck %s
//
// RUN: %t table | FileCheck %s --check-prefix=TABLE
//
// CHECK: 4 threads: 32 objects
// TABLE: a table alone: 1 object
#include <memfold/embed.h>

#include <llvm-c/Target.h>
#include <llvm-c/TargetMachine.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define THREADS 4
#define ROUNDS 8

static mf_layout *layout;
static LLVMTargetRef target;
static pthread_barrier_t start;

static void must(bool is_good, const char *what) {
    if (!is_good) {
        puts(what);
        exit(1);
    }
}

static LLVMValueRef begin(LLVMModuleRef module, LLVMBuilderRef builder) {
    LLVMContextRef context = LLVMGetModuleContext(module);
    LLVMTypeRef t_i32 = LLVMInt32TypeInContext(context);
    LLVMTypeRef parameters[] = {LLVMPointerTypeInContext(context, 0), t_i32};
    LLVMValueRef f = LLVMAddFunction(module, "f", LLVMFunctionType(t_i32, parameters, 2, 0));
    LLVMPositionBuilderAtEnd(builder, LLVMAppendBasicBlockInContext(context, f, "entry"));
    return f;
}

static void create(LLVMModuleRef module, const mf_accessor_options *options) {
    LLVMContextRef context = LLVMGetModuleContext(module);
    LLVMTypeRef t_i32 = LLVMInt32TypeInContext(context);
    LLVMBuilderRef builder = LLVMCreateBuilderInContext(context);
    mf_embed *embed;
    mf_diag diag;
    LLVMValueRef f = begin(module, builder);
    must(mf_embed_create(module, layout, options, &embed, &diag) == MF_OK, diag.message);
    mf_embed_access access = {.view = LLVMGetParam(f, 0), .address = LLVMGetParam(f, 1)};
    if (options->on_fault != MF_ON_FAULT_TRAP)
        access.fault_block = LLVMAppendBasicBlockInContext(context, f, "fault");
    LLVMBuildRet(builder, mf_embed_load(embed, builder, &access, t_i32, NULL));
    if (access.fault_block != NULL) {
        LLVMPositionBuilderAtEnd(builder, access.fault_block);
        LLVMBuildRet(builder, LLVMConstInt(t_i32, 0, false));
    }
    mf_embed_destroy(embed);
    LLVMDisposeBuilder(builder);
}

static void define(LLVMModuleRef module, const mf_accessor_options *options) {
    mf_diag diag;
    LLVMValueRef functions[MF_ACCESSOR_COUNT];
    must(mf_embed_define(module, layout, options, "guest", functions, &diag) == MF_OK, diag.message);
    LLVMSetLinkage(functions[MF_LOAD_U32], LLVMExternalLinkage); /* so that it is compiled */
}

static void compile(LLVMModuleRef module, LLVMTargetMachineRef machine) {
    char *message = NULL;
    LLVMMemoryBufferRef object;
    mf_diag diag;
    must(mf_embed_define_exception_table(module, NULL, &diag) == MF_OK, diag.message);
    if (LLVMTargetMachineEmitToMemoryBuffer(machine, module, LLVMObjectFile, &message, &object))
        must(false, message);
    LLVMDisposeMemoryBuffer(object);
}

static unsigned long compile_rounds(const mf_accessor_options *options, unsigned rounds) {
    char *triple = LLVMGetDefaultTargetTriple();
    LLVMTargetMachineRef machine = LLVMCreateTargetMachine(target, triple, "", "", LLVMCodeGenLevelDefault,
                                                           LLVMRelocPIC, LLVMCodeModelDefault);
    LLVMTargetDataRef data = LLVMCreateTargetDataLayout(machine);
    for (unsigned i = 0; i < rounds; i++) {
        LLVMContextRef context = LLVMContextCreate();
        LLVMModuleRef module = LLVMModuleCreateWithNameInContext("client", context);
        LLVMSetModuleDataLayout(module, data);
        LLVMSetTarget(module, triple);
        (i & 2 ? create : define)(module, &options[i & 1]);
        compile(module, machine);
        LLVMDisposeModule(module);
        LLVMContextDispose(context);
    }
    LLVMDisposeTargetData(data);
    LLVMDisposeTargetMachine(machine);
    LLVMDisposeMessage(triple);
    return rounds;
}

static void *run(void *count) {
    static const mf_accessor_options OPTIONS[] = {
        {.backend = MF_BACKEND_X86_PAGED, .on_fault = MF_ON_FAULT_TRAP},
        {.backend = MF_BACKEND_X86_PAGED, .on_fault = MF_ON_FAULT_RETURN},
    };
    pthread_barrier_wait(&start);
    *(unsigned long *)count = compile_rounds(OPTIONS, ROUNDS);
    return NULL;
}

static void run_threads(void) {
    pthread_t threads[THREADS];
    unsigned long counts[THREADS] = {0}, sum = 0;
    pthread_barrier_init(&start, NULL, THREADS);
    for (size_t i = 0; i < THREADS; i++)
        must(pthread_create(&threads[i], NULL, run, &counts[i]) == 0, "no thread");
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (size_t i = 0; i < THREADS; i++)
        sum += counts[i];
    printf("%d threads: %lu objects\n", THREADS, sum);
}

int main(int argc, char **argv) {
    static const mf_accessor_options COPY = {.backend = MF_BACKEND_COPY};
    mf_diag diag;
    mf_layout_builder *builder = mf_layout_builder_create();
    LLVMInitializeNativeTarget();
    LLVMInitializeNativeAsmPrinter();
    char *triple = LLVMGetDefaultTargetTriple();
    must(!LLVMGetTargetFromTriple(triple, &target, NULL), "no target");
    LLVMDisposeMessage(triple);
    must(mf_layout_builder_map_region(builder, 0x20000, 0x1000, MF_READ_WRITE, NULL, 0, &diag) == MF_OK &&
             mf_layout_builder_finish(builder, &layout, NULL, &diag) == MF_OK,
         "no layout");
    mf_layout_builder_destroy(builder);
    if (argc > 1)
        printf("a %s alone: %lu object\n", argv[1], compile_rounds(&COPY, 1));
    else
        run_threads();
    mf_layout_release(layout);
    return 0;
}
