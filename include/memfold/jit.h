/*
 * Accessors as function pointers, made at run time by LLVM.
 *
 * An mf_jit caches what it has made by layout content and options; an mf_code is one counted reference to
 * one accessor set. Every function here may run in any thread.
 */
#ifndef MEMFOLD_JIT_H
#define MEMFOLD_JIT_H

#include <memfold/accessors.h>
#include <memfold/layout.h>
#include <memfold/memory.h>
#include <memfold/options.h>
#include <memfold/public.h>
#include <memfold/status.h>

#include <stdbool.h>

MF_PUBLIC_BEGIN

typedef struct mf_jit mf_jit;
typedef struct mf_code mf_code;

typedef struct mf_jit_config {
    const char *symbol_prefix; /* names in gdb and perf: <prefix>_<n>_load_u8; NULL: "memfold" */
    bool perf_map;             /* append every accessor to /tmp/perf-<pid>.map */
} mf_jit_config;

/*
 * Writes a new code generator for the machine it runs on. `config` may be NULL. The caller owns it and
 * destroys it after it has released every mf_code. MF_OUT_OF_MEMORY, MF_LLVM, MF_IO (the perf map).
 */
mf_status mf_jit_create(const mf_jit_config *config, mf_jit **jit, mf_diag *diag);
void mf_jit_destroy(mf_jit *jit);

/*
 * Writes a reference to the accessors of `layout` under `options` (NULL: the default): the known ones, or
 * new ones. Two threads that ask for the same at once get the same. The caller releases the reference; at
 * the last one the code is freed. The code is never writable and executable at once.
 * MF_INVALID_ARGUMENT and MF_INEXACT_STRATEGY as mf_plan_make, MF_OUT_OF_MEMORY, MF_LLVM.
 */
mf_status mf_jit_get(mf_jit *jit, const mf_layout *layout, const mf_accessor_options *options, mf_code **code,
                     mf_diag *diag);

/*
 * The same for the layout that `memory` has now. Ask again after map_region, protect, unmap or reset; sbrk
 * needs no new accessors. Counts as a change of the memory for its thread rule.
 */
mf_status mf_jit_get_for(mf_jit *jit, mf_memory *memory, const mf_accessor_options *options, mf_code **code,
                         mf_diag *diag);

mf_code *mf_code_retain(mf_code *code);
void mf_code_release(mf_code *code);

/* Borrows the accessors and the layout they are for, while the reference is held. */
const mf_accessors *mf_code_accessors(const mf_code *code);
const mf_layout *mf_code_layout(const mf_code *code);

MF_PUBLIC_END

#endif
