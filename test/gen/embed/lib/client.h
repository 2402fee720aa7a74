/*
 * A JIT that is not memfold's: it makes modules in contexts of its own, optimises them as it likes, and links
 * them with an LLJIT of its own. Everything here ends the program with a message if it fails.
 */
#ifndef MEMFOLD_TEST_CLIENT_H
#define MEMFOLD_TEST_CLIENT_H

#include <memfold/exception_table.h>
#include <memfold/status.h>

#include <llvm-c/Core.h>
#include <llvm-c/LLJIT.h>
#include <llvm-c/Orc.h>
#include <llvm-c/TargetMachine.h>

#include <stdint.h>

/* A module under construction, and its builder. */
typedef struct client_module {
    LLVMOrcThreadSafeContextRef owner;
    LLVMContextRef context;
    LLVMModuleRef module;
    LLVMBuilderRef builder;
} client_module;

/* Code that is linked: its functions can be looked up until it is unloaded. */
typedef struct client_code {
    LLVMOrcResourceTrackerRef tracker;
    const mf_exception_entry *entries; /* registered; NULL if the module has no exception table */
} client_code;

/* One JIT per process, which generates code as LLVM does by default, or at another level. */
void client_start(void);
void client_start_at(LLVMCodeGenOptLevel level);
void client_stop(void);

void client_must(mf_status status, const mf_diag *diag, const char *doing);

client_module client_module_create(const char *name);
void client_module_destroy(client_module *m);

/* Adds `name` with external linkage and puts the builder into its first block. */
LLVMValueRef client_function_begin(const client_module *m, const char *name, LLVMTypeRef type);

/* Verifies, runs a pipeline ("default<O2>"; NULL for none), verifies again. */
void client_module_optimise(const client_module *m, const char *pipeline);

/* Takes the module. If it has an exception table of the name `table`, it is registered. */
client_code client_module_load(client_module *m, const char *table);
void client_code_unload(client_code *code);

/* The host address of a function. */
uintptr_t client_lookup(const char *name);

#endif
