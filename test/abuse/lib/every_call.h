/*
 * A scenario is run again and again: with its first call refused, with its second, until one run meets no
 * refusal. And the same with three calls in a row, and, where that can be answered, with all from the n-th
 * on.
 */
#ifndef MEMFOLD_TEST_EVERY_CALL_H
#define MEMFOLD_TEST_EVERY_CALL_H

#include "refuse_calls.h"

#include <memfold/status.h>

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#define expect_here(condition) expect_in(scenario_now, (condition), #condition, __LINE__)

/* Which scenario it is, and which call is refused. */
typedef struct scenario_place {
    const char *name;
    unsigned n, count;
    const char *call;
} scenario_place;

static scenario_place scenario_now;

static inline void expect_in(scenario_place place, bool condition, const char *text, int line) {
    if (condition)
        return;
    printf("line %d, %s, call %u (%s) and %u in all refused: not true: %s\n", line, place.name, place.n,
           place.call == NULL ? "none" : place.call, place.count, text);
    fflush(stdout);
    exit(1);
}

static inline void refusals_begin(void) {
    calls_refuse(scenario_now.n, scenario_now.count);
}

static inline void refusals_end(void) {
    scenario_now.call = calls_allow();
}

/* True if the attempt was refused; then it has said why. */
static inline bool was_refused(mf_status status, const mf_diag *diag) {
    if (status == MF_OK)
        return false;
    expect_here(scenario_now.call != NULL);
    expect_here(status == MF_OUT_OF_MEMORY || status == MF_IO || status == MF_LLVM ||
                status == MF_UNKNOWN_TARGET);
    expect_here(diag->status == status && diag->message[0] != '\0');
    return true;
}

/* `run` calls refusals_begin and refusals_end around what may fail, and leaves nothing behind. */
static inline unsigned refuse_in_turn(const char *name, void (*run)(const void *), const void *context,
                                      unsigned count) {
    unsigned n = 0;
    do {
        n++;
        scenario_now = (scenario_place){name, n, count, NULL};
        host_holdings before = calls_holdings();
        run(context);
        host_holdings after = calls_holdings();
        expect_here(after.mapped_bytes == before.mapped_bytes);
        expect_here(after.blocks == before.blocks);
        expect_here(after.descriptors == before.descriptors);
    } while (scenario_now.call != NULL);
    return n - 1;
}

static inline void refuse_every_call(const char *name, void (*run)(const void *), const void *context,
                                     bool with_all) {
    unsigned calls = refuse_in_turn(name, run, context, 1);
    refuse_in_turn(name, run, context, 3);
    if (with_all)
        refuse_in_turn(name, run, context, UINT_MAX);
    printf("%s: %u calls\n", name, calls);
    fflush(stdout);
}

#endif
