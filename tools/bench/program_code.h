/* Machine code of a program with an engine's accesses in it. */
#ifndef MEMFOLD_TOOLS_BENCH_PROGRAM_CODE_H
#define MEMFOLD_TOOLS_BENCH_PROGRAM_CODE_H

#include "bench/module.h"
#include "bench/program_engines.h"
#include "bench/programs/description.h"

#include <memfold/layout.h>

typedef enum program_id {
#define X(name) PROGRAM_##name,
    PROGRAMS(X)
#undef X
        PROGRAM_COUNT
} program_id;

/* Borrows the description of a program. */
const program *program_get(program_id id);

typedef struct program_code {
    program_run *run;
    void *tracker; /* LLVM's hold on the code */
} program_code;

/*
 * Compiles the program with the engine's accesses, for `layout`, with the engine's own options but those of
 * `hot`, NULL if there is no hint. The code is the caller's to give to program_code_fini in any case.
 */
mf_status program_code_compile(bench_jit *jit, program_id id, const program_engine *engine,
                               const mf_layout *layout, const mf_accessor_options *hot, program_code *code,
                               mf_diag *diag);
void program_code_fini(program_code *code);

#endif
