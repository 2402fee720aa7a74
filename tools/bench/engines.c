/* The engines: those that are always measured, and those that the command line asks for. */
#include "bench/engines.h"

#include "bench/program_engines.h"
#include "command.h"
#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const bench_engine usual_engines[] = {
    {"raw", FORM_PEER, "raw", {0}, false, false, false},
    {"seed", FORM_PEER, "seed", {0}, false, false, false},
    {"list", FORM_PEER, "list", {0}, true, true, false},
    {"search", FORM_PEER, "search", {0}, true, true, false},
    {"bytes", FORM_PEER, "bytes", {0}, true, true, false},
    {"tlb", FORM_PEER, "tlb", {0}, true, true, false},
    {"mprotect", FORM_PEER, "raw", {.backend = MF_BACKEND_X86_PAGED}, false, false, false},
    {"generic", FORM_GENERIC, NULL, {0}, true, false, false},
    {"called-copy", FORM_CALLED, NULL, {0}, true, false, false},
    {"called-paged", FORM_CALLED, NULL, {.backend = MF_BACKEND_X86_PAGED}, true, false, true},
    {"stencil-copy", FORM_STENCIL, NULL, {0}, true, false, false},
    {"stencil-paged", FORM_STENCIL, NULL, {.backend = MF_BACKEND_X86_PAGED}, true, false, true},
    {"inlined-copy", FORM_INLINED, NULL, {0}, true, false, false},
    {"inlined-paged", FORM_INLINED, NULL, {.backend = MF_BACKEND_X86_PAGED}, true, false, true},
};
#define USUAL_COUNT (sizeof usual_engines / sizeof usual_engines[0])

/* Loads wrong values, so that the suite can see the comparison fail; not listed in the help. */
static const bench_engine broken_engine = {"broken", FORM_PEER, "broken", {0}, false, false, false};

static void add_engine(bench_engines *list, const bench_engine *spec) {
    if (list->count == BENCH_ENGINES_MAX)
        usage_error("more than %d engines", BENCH_ENGINES_MAX);
    list->all[list->count++] = *spec;
}

static void add_wanted(bench_engines *list, const char *word) {
    for (size_t i = 0; i < USUAL_COUNT; i++)
        if (strcmp(usual_engines[i].name, word) == 0) {
            add_engine(list, &usual_engines[i]);
            return;
        }
    if (strcmp(word, broken_engine.name) == 0)
        add_engine(list, &broken_engine);
    else if (program_engine_lookup(word) == NULL)
        usage_error("unknown engine '%s' for --engines", word);
}

static void add_strategy(bench_engines *list, const char *word) {
    bench_engine spec = {.form = FORM_INLINED, .exact = true};
    spec.options.strategy = (mf_strategy)choice_take("strategy", strategy_choices, word);
    snprintf(spec.name, sizeof spec.name, "copy:%s", word);
    add_engine(list, &spec);
}

static void each_word(bench_engines *list, const char *words,
                      void take(bench_engines *list, const char *word)) {
    char *copy = strdup(words);
    char *rest = copy;
    for (char *word; copy != NULL && (word = strsep(&rest, ",")) != NULL;)
        take(list, word);
    free(copy);
}

void bench_engines_list(char *choices, size_t choices_bytes) {
    size_t length = 0;
    for (size_t i = 0; i < USUAL_COUNT && length < choices_bytes; i++)
        length += (size_t)snprintf(choices + length, choices_bytes - length, "%s%s", i == 0 ? "" : "|",
                                   usual_engines[i].name);
    for (size_t i = 0; program_engine_get(i) != NULL && length < choices_bytes; i++)
        length +=
            (size_t)snprintf(choices + length, choices_bytes - length, "|%s", program_engine_get(i)->name);
}

void bench_engines_make(bench_engines *list, const char *wanted, const char *strategies) {
    list->count = 0;
    if (wanted != NULL)
        each_word(list, wanted, add_wanted);
    for (size_t i = 0; wanted == NULL && i < USUAL_COUNT; i++)
        add_engine(list, &usual_engines[i]);
    if (strategies != NULL)
        each_word(list, strategies, add_strategy);
}
