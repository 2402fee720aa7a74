// Code lies in pages that are readable and executable only, is never writable and executable at once while it
// is made and freed, and goes with its last reference.
//
// RUN: %cc %jit %s -o %t %gen
// RUN: %t | FileCheck %s
//
// Stencils lie in an arena, whose places are used again.
// RUN: %cc %jit %by-stencils %s -o %t.stencil %gen
// RUN: %t.stencil never | FileCheck %s --check-prefix=NEVER
//
// CHECK: code is readable and executable only
// CHECK-NEXT: released code is gone
// CHECK-NEXT: nothing is ever writable and executable: {{[1-9][0-9]*}} looks
// NEVER: nothing is ever writable and executable: {{[1-9][0-9]*}} looks
#include "jit_support.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

/* ---- Where it lies ---- */

/* Writes the four letters of the mapping that holds `address`, or "gone". */
static void mapping_of(uintptr_t address, char letters[5]) {
    char line[512];
    FILE *maps = fopen("/proc/self/maps", "r");
    strcpy(letters, "gone");
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
        uintptr_t start, end;
        char found[5];
        if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s", &start, &end, found) == 3 && address >= start &&
            address < end)
            memcpy(letters, found, sizeof found);
    }
    fclose(maps);
}

static void test_mappings(mf_jit *jit) {
    mf_layout *layout = make_layout(REGION_START);
    mf_code *code = get_code(jit, layout, NULL);
    char letters[5];
    for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++) {
        mapping_of(place_of(code, id), letters);
        require(strcmp(letters, "r-xp") == 0, letters);
    }
    printf("code is readable and executable only\n");

    uintptr_t place = place_of(code, MF_LOAD_U32);
    mf_code_release(mf_code_retain(code));
    mapping_of(place, letters);
    require(letters[2] == 'x', "the code went before its last reference");
    mf_code_release(code);
    mapping_of(place, letters);
    require(letters[2] != 'x', "the code outlives its last reference");
    printf("released code is gone\n");
    mf_layout_release(layout);
}

/* ---- Never writable and executable at once: looked for while code is made and freed ---- */

static atomic_bool is_over;
static atomic_bool has_found;
static atomic_uint looks;

static void look_for_writable_code(void) {
    char line[512];
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
        char letters[5];
        if (sscanf(line, "%*x-%*x %4s", letters) == 1 && letters[1] == 'w' && letters[2] == 'x')
            atomic_store(&has_found, true);
    }
    fclose(maps);
    atomic_fetch_add(&looks, 1);
}

static void *watch(void *unused) {
    while (!atomic_load(&is_over))
        look_for_writable_code();
    return unused;
}

static void test_never_both(mf_jit *jit) {
    pthread_t watcher;
    require(pthread_create(&watcher, NULL, watch, NULL) == 0, "no thread");
    for (uint32_t i = 0; i < 40 || atomic_load(&looks) < 20; i++) {
        mf_layout *layout = make_layout(REGION_START + i % 4096 * MF_PAGE_SIZE);
        mf_code_release(get_code(jit, layout, NULL));
        mf_layout_release(layout);
    }
    atomic_store(&is_over, true);
    pthread_join(watcher, NULL);
    require(!atomic_load(&has_found), "a mapping is writable and executable");
    printf("nothing is ever writable and executable: %u looks\n", atomic_load(&looks));
}

int main(int argument_count, char **arguments) {
    mf_jit *jit = make_jit(NULL);
    (void)arguments;
    if (argument_count == 1)
        test_mappings(jit);
    test_never_both(jit);
    mf_jit_destroy(jit);
    return 0;
}
