/* Machine code of an engine: the loops of guest/loops.c with its loads and stores in them. */
#ifndef MEMFOLD_TOOLS_BENCH_COMPILER_H
#define MEMFOLD_TOOLS_BENCH_COMPILER_H

#include "bench/engines.h"
#include "bench/guest/guest.h"

#include <memfold/jit.h>
#include <memfold/layout.h>

typedef struct bench_compiler bench_compiler;

/* The loops of one engine, ready to run. */
typedef struct bench_code {
    guest_loop *loops[LOOP_COUNT]; /* NULL: the layout has no such engine */
    mf_code *called;               /* of a FORM_CALLED or FORM_STENCIL engine: its accessors' code, owned */
    const void *entries;           /* registered exception table, or NULL */
    void *tracker;                 /* LLVM's hold on the code, or NULL if the compiler keeps it */
    const mf_accessors *accessors; /* what a loop calls, for engines that are called */
} bench_code;

/* NULL with the reason in `diag`. A compiler outlives the code that it has made. */
bench_compiler *bench_compiler_create(mf_diag *diag);
void bench_compiler_destroy(bench_compiler *compiler);

/*
 * Compiles the loops of an engine for a layout. MF_INEXACT_STRATEGY: its strategy is refused there. Peers are
 * compiled once and stay with the compiler. The code is the caller's to give to bench_code_fini in any case.
 */
mf_status bench_compiler_compile(bench_compiler *compiler, const bench_engine *spec, const mf_layout *layout,
                                 bench_code *code, mf_diag *diag);
void bench_code_fini(bench_code *code);

#endif
