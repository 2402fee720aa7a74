/* The list of engines of programs. A row is a line here. */
#include "bench/program_engines.h"

#include <stdlib.h>
#include <string.h>

#define NATIVE PROGRAM_FORM_NATIVE
#define SCALAR PROGRAM_FORM_SCALAR
#define PEER PROGRAM_FORM_PEER
#define BUILDER PROGRAM_FORM_BUILDER
#define FUNCTIONS PROGRAM_FORM_FUNCTIONS
#define MAP_1 PROGRAM_MAP_1
#define MAP_4 PROGRAM_MAP_4
#define MAP_HEAP PROGRAM_MAP_HEAP
#define MAP_16 PROGRAM_MAP_16
#define PAGED .backend = MF_BACKEND_X86_PAGED

/* The first is what ratios are to. */
static const program_engine engines[] = {
    {"native", NATIVE, MAP_1, NULL, false, {0}},
    {"native-scalar", SCALAR, MAP_1, NULL, false, {0}},
    {"plain", PEER, MAP_4, "plain", false, {PAGED}},
    {"guard", PEER, MAP_4, "guard", false, {PAGED}},
    {"bounds", PEER, MAP_4, "bounds", false, {0}},
    {"unchecked", BUILDER, MAP_4, NULL, false, {.policy = MF_POLICY_NONE}},
    {"paged", BUILDER, MAP_4, NULL, false, {PAGED}},
    {"paged-guest", BUILDER, MAP_4, NULL, false, {PAGED, .order = MF_ORDER_GUEST}},
    {"paged-functions", FUNCTIONS, MAP_4, NULL, false, {PAGED}},
    {"copy-1", BUILDER, MAP_1, NULL, false, {0}},
    {"copy-4", BUILDER, MAP_4, NULL, false, {0}},
    {"copy-4-hot", BUILDER, MAP_4, NULL, true, {0}},
    {"copy-heap", BUILDER, MAP_HEAP, NULL, false, {0}},
    {"copy-16", BUILDER, MAP_16, NULL, false, {0}},
    {"copy-16-hot", BUILDER, MAP_16, NULL, true, {0}},
};
#define ENGINE_COUNT (sizeof engines / sizeof engines[0])

const program_engine program_engine_counted = {"counted", PEER, MAP_1, "counted", false, {0}};

/* Stores wrong values, so that the suite can see the comparison fail; not a row. */
static const program_engine broken_engine = {"broken", PEER, MAP_1, "broken", false, {0}};

const program_engine *program_engine_get(size_t place) {
    return place < ENGINE_COUNT ? &engines[place] : NULL;
}

const program_engine *program_engine_lookup(const char *name) {
    for (size_t i = 0; i < ENGINE_COUNT; i++)
        if (strcmp(engines[i].name, name) == 0)
            return &engines[i];
    return strcmp(broken_engine.name, name) == 0 ? &broken_engine : NULL;
}

void program_engines_make(program_engines *list, const char *wanted) {
    list->count = 0;
    for (size_t i = 0; wanted == NULL && i < ENGINE_COUNT; i++)
        list->all[list->count++] = &engines[i];
    char *copy = wanted == NULL ? NULL : strdup(wanted);
    char *rest = copy;
    for (char *word; copy != NULL && (word = strsep(&rest, ",")) != NULL;) {
        const program_engine *engine = program_engine_lookup(word);
        if (engine != NULL && list->count < PROGRAM_ENGINES_MAX)
            list->all[list->count++] = engine;
    }
    free(copy);
}
