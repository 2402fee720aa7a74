/* What the command knows of the programs in this directory. */
#ifndef MEMFOLD_TOOLS_BENCH_PROGRAMS_DESCRIPTION_H
#define MEMFOLD_TOOLS_BENCH_PROGRAMS_DESCRIPTION_H

#include <memfold/abi.h>

#include <stdbool.h>
#include <stdint.h>

/* All of them: X(name) for programs/<name>.c. */
#define PROGRAMS(X) X(matmul) X(solve) X(stencil) X(paths) X(list) X(hash) X(scan) X(sort)

#define PROGRAM_ARRAYS_MAX 6

typedef struct program_array {
    uint32_t bytes; /* 0: there is no such array */
    bool writable;
} program_array;

/* The guest addresses of a program's arrays, in the order of its description. */
typedef struct program_work {
    uint32_t at[PROGRAM_ARRAYS_MAX];
} program_work;

/* Runs the program once and returns what it found; the rest of its result is in its arrays. */
typedef uint64_t program_run(mf_view *view, unsigned char *base, const program_work *work);

/* Gives the read-only arrays their bytes, always the same ones. */
typedef void program_fill(unsigned char *const *arrays);

typedef struct program {
    const char *name;
    const char *title;
    program_array arrays[PROGRAM_ARRAYS_MAX];
    program_fill *fill;
    program_run *run; /* the reference */
} program;

/* What the peers of access.c read: a view, and behind it what is theirs. */
#define PROGRAM_PAGES 4096
typedef struct program_view {
    mf_view view; /* first: accesses take a pointer to it */
    uint64_t len;
    uint64_t counts[PROGRAM_PAGES]; /* accesses by page, of the engine that counts them */
} program_view;

#endif
