/*
 * Modules: bitcode of guest code on its way to machine code. Whatever they are made of, all are linked,
 * optimised and compiled in the same way and for the same processor, which is this one.
 */
#ifndef MEMFOLD_TOOLS_BENCH_MODULE_H
#define MEMFOLD_TOOLS_BENCH_MODULE_H

#include <memfold/status.h>

#include <llvm-c/Orc.h>
#include <llvm-c/Types.h>

#include <stdbool.h>
#include <stdint.h>

/* LLVM's JIT, the machine that it compiles for, and the runtime's symbols. */
typedef struct bench_jit bench_jit;

/* NULL with the reason in `diag`. It outlives the code that it has made. */
bench_jit *bench_jit_create(mf_diag *diag);
void bench_jit_destroy(bench_jit *jit);

/* A module between its bitcode and the JIT. */
typedef struct bench_module {
    LLVMOrcThreadSafeContextRef owner;
    LLVMContextRef context;
    LLVMModuleRef module; /* NULL once it is loaded */
    unsigned number;      /* of its symbols */
} bench_module;

/* Bitcode that the command carries. */
typedef struct bench_bitcode {
    const char *begin, *end;
} bench_bitcode;

/* Begins a module with the bitcode. bench_module_fini is due in any case. */
mf_status bench_module_begin(bench_jit *jit, bench_module *module, bench_bitcode bitcode, mf_diag *diag);
void bench_module_fini(bench_module *module);

/* Adds further bitcode to it. */
mf_status bench_module_link(bench_module *module, bench_bitcode bitcode, mf_diag *diag);

/* Calls of `declared` call `f_engine` instead. Nothing happens where it is not declared. */
void bench_module_replace(bench_module *module, const char *declared, LLVMValueRef f_engine);

/*
 * Only the functions of `names` (`count` of them) stay visible, under names that end with the module's
 * number. The others may be inlined and deleted.
 */
void bench_module_settle(bench_module *module, const char *const *names, size_t count);

/* Optimises as clang -O3 does, with or without the vectorisers. */
mf_status bench_module_optimise(bench_jit *jit, bench_module *module, bool vectorise, mf_diag *diag);

/*
 * Compiles the module, which the JIT owns from then on. `*tracker` is LLVM's hold on its code, for one of the
 * two functions below; it may be set on failure too.
 */
mf_status bench_module_load(bench_jit *jit, bench_module *module, void **tracker, mf_diag *diag);

/* The code stays until the JIT is destroyed, or it is gone. NULL does nothing. */
void bench_module_keep(void *tracker);
void bench_module_unload(void *tracker);

/* Writes "stem_number", the name of a symbol. */
void bench_module_name(char name[64], const char *stem, unsigned number);

/* The address of a visible symbol of module `number`. */
mf_status bench_module_find(bench_jit *jit, const char *stem, unsigned number, uintptr_t *address,
                            mf_diag *diag);

#endif
