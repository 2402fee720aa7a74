/* Which guest bytes a cell touches, and in which order. */
#ifndef MEMFOLD_TOOLS_BENCH_WORK_H
#define MEMFOLD_TOOLS_BENCH_WORK_H

#include "bench/guest/guest.h"

#include <memfold/layout.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum bench_pattern {
    PATTERN_UNIFORM,
    PATTERN_HOT,
    PATTERN_SEQUENTIAL,
    PATTERN_SCALAR,
    PATTERN_DEPENDENT,
    PATTERN_MISSES
} bench_pattern;

#define PATTERN_COUNT (PATTERN_MISSES + 1)

extern const char bench_pattern_names[]; /* "uniform|hot|..." in the order of the enum */
extern const char *const bench_pattern_titles[PATTERN_COUNT];

typedef enum bench_set { SET_L1, SET_L2, SET_1G, SET_COUNT } bench_set;

extern const char *const bench_set_names[SET_COUNT];

/* A cache line of guest bytes. Its first word is the address of the next line, which nothing stores to. */
typedef struct bench_line {
    uint32_t address;
    bool writable;
} bench_line;

/* The bytes that a cell touches, and the addresses in them. */
typedef struct bench_work {
    bench_pattern pattern;
    bench_line *lines;
    size_t line_count;
    uint32_t *addresses;
    guest_run *runs;
    guest_batch batch; /* a whole one, with repeats 1 */
    uint64_t reduced;  /* `count` of a shorter one, for engines that are slow */
} bench_work;

/*
 * Chooses the lines and addresses of a cell. False if the layout has nothing of the kind, such as no page to
 * miss or none to write. bench_work_fini is due in any case.
 */
bool bench_work_make(bench_work *work, const mf_layout *layout, bench_pattern pattern, bench_set set);
void bench_work_fini(bench_work *work);

/* Which loop does this work. */
guest_loop_id bench_work_loop(const bench_work *work);

/* The accesses of one repetition of a batch of `count`. */
uint64_t bench_work_accesses(const bench_work *work, uint64_t count);

#endif
