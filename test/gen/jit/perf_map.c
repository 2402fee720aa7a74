// Each function of linked code has a line in the perf map, with its place, its size and the prefix of its
// jit.
//
// RUN: %cc %jit %s -o %t %gen
// RUN: %t | FileCheck %s
//
// By stencils:
// RUN: %cc %jit %by-stencils %s -o %t.stencil %gen
// RUN: %t.stencil | FileCheck %s
//
// CHECK: the perf map has 22 functions at their places
#include "jit_support.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

/* Whether the map has the line "place size name", with a size that is not 0. */
static bool perf_map_has(const char *path, uintptr_t place, const char *name) {
    char line[512];
    bool is_there = false;
    FILE *map = fopen(path, "r");
    while (map != NULL && fgets(line, sizeof line, map) != NULL) {
        uintptr_t start, size;
        char found[256];
        if (sscanf(line, "%" SCNxPTR " %" SCNxPTR " %255s", &start, &size, found) == 3)
            is_there |= start == place && size > 0 && strcmp(found, name) == 0;
    }
    if (map != NULL)
        fclose(map);
    return is_there;
}

static unsigned count_in_perf_map(const char *path, const mf_code *code, unsigned serial) {
    unsigned count = 0;
    for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++) {
        char name[64];
        snprintf(name, sizeof name, "guest_%u_%s", serial, mf_accessor_info_get(id)->name);
        count += perf_map_has(path, place_of(code, id), name);
    }
    return count;
}

int main(void) {
    const mf_jit_config config = {.symbol_prefix = "guest", .perf_map = true};
    char path[64];
    mf_jit *jit = make_jit(&config);
    snprintf(path, sizeof path, "/tmp/perf-%ld.map", (long)getpid());
    mf_layout *first = make_layout(REGION_START);
    mf_layout *second = make_layout(2 * REGION_START);
    mf_code *a = get_code(jit, first, NULL);
    mf_code *b = get_code(jit, second, NULL);
    unsigned count = count_in_perf_map(path, a, 0) + count_in_perf_map(path, b, 1);
    mf_code_release(a);
    mf_code_release(b);
    mf_layout_release(first);
    mf_layout_release(second);
    mf_jit_destroy(jit);
    unlink(path);
    printf("the perf map has %u functions at their places\n", count);
    return 0;
}
