/* Target machines: this machine for the JIT, any 64-bit little-endian ELF target ahead of time. */
#ifndef MEMFOLD_GEN_IR_TARGET_H
#define MEMFOLD_GEN_IR_TARGET_H

#include <memfold/options.h>
#include <memfold/status.h>

#include <llvm-c/TargetMachine.h>

#include <stdbool.h>

/* Writes a machine for the processor this runs on, which the caller disposes of. MF_LLVM. */
mf_status target_create_host(LLVMTargetMachineRef *machine, mf_diag *diag);

/*
 * Writes a machine for `triple` (NULL: this machine's) and its baseline processor. MF_UNKNOWN_TARGET for a
 * triple that LLVM does not know, or that is not a 64-bit little-endian ELF host with a C ABI.
 */
mf_status target_create(const char *triple, LLVMTargetMachineRef *machine, mf_diag *diag);

/*
 * A context whose first error is kept in `error` (which outlives it) instead of ending the process;
 * target_compile reports it.
 */
LLVMContextRef target_context_create(mf_diag *error);

/* An empty module for `machine`: its triple, data layout and, where there is one, its ABI. */
LLVMModuleRef target_module_create(LLVMTargetMachineRef machine, LLVMContextRef context, const char *name);

/* Compiles `module`, whose context is target_context_create's, to an object or assembly, which the caller
 * disposes of. MF_LLVM. */
mf_status target_compile(LLVMTargetMachineRef machine, LLVMModuleRef module, LLVMCodeGenFileType type,
                         LLVMMemoryBufferRef *output, mf_diag *diag);

/* MF_INVALID_ARGUMENT if `triple` has another architecture than the backend needs. */
mf_status target_check_backend(const char *triple, mf_backend backend, mf_diag *diag);

/*
 * LLVM can parse assembly for x86-64 from here on, as it must for every module with some, or it ends the
 * process. MF_UNKNOWN_TARGET if this LLVM was built without X86. Any thread.
 */
mf_status target_initialize_x86_assembly(mf_diag *diag);

/* The attribute of an i32 result in the C ABI of `triple` ("signext", "zeroext"), or NULL. */
const char *target_i32_extension(const char *triple);

/*
 * Whether the runtime's fault entry keeps registers there by LLVM's preserve_mostcc (abi.h). False for an
 * empty triple: a plain call is right everywhere.
 */
bool target_fault_entry_preserves(const char *triple);

/* True if the CPUs of `triple` do loads in the order of the program; false if it is not known. */
bool target_has_total_store_order(const char *triple);

#endif
