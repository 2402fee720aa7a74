/* Who performs the loads and stores of `memfold run`: generated code or the generic engine. */
#ifndef MEMFOLD_TOOLS_RUN_ENGINE_H
#define MEMFOLD_TOOLS_RUN_ENGINE_H

#include <memfold/accessors.h>
#include <memfold/jit.h>
#include <memfold/memory.h>
#include <memfold/options.h>

/* In the order of the values of --engine. */
typedef enum engine_kind { ENGINE_JIT = 0, ENGINE_GENERIC } engine_kind;

/* Codes kept for layouts that a script comes back to. */
#define ENGINE_CODES 1024

struct engine {
    mf_accessor_options options;
    mf_memory *memory; /* borrowed */
    mf_view *view;     /* its own */
    const mf_accessors *accessors;
    mf_jit *jit;                  /* NULL: generic */
    mf_code *codes[ENGINE_CODES]; /* the most recently used first */
    unsigned code_count;
    bool stale; /* the memory may have another layout than codes[0] */
};

/*
 * Prepares an engine for `memory`, which outlives it. `kind` ENGINE_GENERIC asks for options that
 * mf_generic_accessors has accessors for. The engine is the caller's to give to engine_fini in any case.
 */
mf_status engine_init(struct engine *engine, engine_kind kind, const mf_accessor_options *options,
                      mf_memory *memory, mf_diag *diag);
void engine_fini(struct engine *engine);

/* The memory's layout may have changed: the next access asks for accessors again. */
void engine_layout_changed(struct engine *engine);

/* Accessors for the layout of now: what an engine that has become stale does before its next access. */
mf_status engine_renew(struct engine *engine, mf_diag *diag);

/*
 * Performs one access. `*value` is what a load gives or a store takes. On MF_OK `*fault` is the fault
 * record, kind 0 if the access was done.
 */
mf_status engine_access(struct engine *engine, mf_accessor_id accessor, uint64_t index, uint64_t *value,
                        mf_fault *fault, mf_diag *diag);

#endif
