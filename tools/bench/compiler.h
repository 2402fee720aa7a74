/* Machine code of an engine: the loops of guest/loops.c with its loads and stores in them. */
#ifndef MEMFOLD_TOOLS_BENCH_COMPILER_H
#define MEMFOLD_TOOLS_BENCH_COMPILER_H

#include "bench/engines.h"
#include "bench/guest/guest.h"

#include <memfold/jit.h>
#include <memfold/layout.h>

/* In the order of tools/bench/loops.c. */
typedef enum bench_loop_id {
    LOOP_RANDOM,
    LOOP_DEPENDENT,
    LOOP_SEQUENTIAL,
    LOOP_SCALAR,
    LOOP_COUNT
} bench_loop_id;

typedef struct bench_compiler bench_compiler;

/* The loops of one engine, ready to run. */
typedef struct bench_code {
    guest_loop *loops[LOOP_COUNT]; /* NULL: the layout has no such engine */
    mf_code *called;
    const void *entries;           /* registered exception table, or NULL */
    void *tracker;                 /* LLVM's hold on the code, or NULL if the compiler keeps it */
    const mf_accessors *accessors; /* for engines that are called */
} bench_code;

bench_compiler *bench_compiler_create(mf_diag *diag);
void bench_compiler_destroy(bench_compiler *compiler);

/*
 * Compiles the loops of an engine for a layout. MF_INEXACT_STRATEGY: its strategy is refused there. Peers are
 * compiled once and stay with the compiler.
 */
mf_status bench_compiler_compile(bench_compiler *compiler, const bench_engine *spec, const mf_layout *layout,
                                 bench_code *code, mf_diag *diag);
void bench_code_fini(bench_code *code);

#endif
