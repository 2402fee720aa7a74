/* Who performs the loads and stores of `memfold run`: code by LLVM, code by stencils or the generic engine.
 */
#ifndef MEMFOLD_TOOLS_RUN_ENGINE_H
#define MEMFOLD_TOOLS_RUN_ENGINE_H

#include <memfold/accessors.h>
#include <memfold/jit.h>
#include <memfold/memory.h>
#include <memfold/options.h>

/* In the order of the values of --engine. */
typedef enum run_engine_kind { ENGINE_JIT = 0, ENGINE_STENCIL, ENGINE_GENERIC } run_engine_kind;

/* Codes kept for layouts that a script comes back to. */
#define RUN_CODES_MAX 1024

typedef struct run_engine {
    mf_accessor_options options;
    mf_memory *memory; /* borrowed */
    mf_view *view;     /* of the memory */
    const mf_accessors *accessors;
    mf_jit *jit;                   /* NULL: generic */
    mf_code *codes[RUN_CODES_MAX]; /* the most recently used first */
    unsigned code_count;
    bool stale; /* the memory may have another layout than codes[0] */
} run_engine;

/*
 * Prepares an engine for `memory`, which outlives it. `kind` ENGINE_GENERIC asks for options that
 * mf_generic_accessors has accessors for. The engine is the caller's to give to run_engine_fini in any case.
 */
mf_status run_engine_init(run_engine *engine, run_engine_kind kind, const mf_accessor_options *options,
                          mf_memory *memory, mf_diag *diag);
void run_engine_fini(run_engine *engine);

/* The memory's layout may have changed: the next access asks for accessors again. */
void run_engine_layout_changed(run_engine *engine);

/* Gets accessors for the layout that the memory has now. A stale engine does so before its next access. */
mf_status run_engine_renew(run_engine *engine, mf_diag *diag);

/*
 * Performs one access. `*value` is what a load gives or a store takes. On MF_OK `*fault` is the fault
 * record, kind 0 if the access was done.
 */
mf_status run_engine_access(run_engine *engine, mf_accessor_id accessor, uint64_t index, uint64_t *value,
                            mf_fault *fault, mf_diag *diag);

#endif
