// What the jit promises about the code itself: who gets which, where it lies, when it goes, and what a
// profiler and a careless client see of it.
//
// RUN: %cc %s -o %t %gen
// RUN: %t | FileCheck %s
//
// CHECK: the same request gives the same code
// CHECK-NEXT: every option gives code of its own
// CHECK-NEXT: a refused request gives no code
// CHECK-NEXT: code is readable and executable only
// CHECK-NEXT: released code is gone
// CHECK-NEXT: nothing is ever writable and executable: {{[1-9][0-9]*}} looks
// CHECK-NEXT: stale accessors panic: accessors made for layout 0x{{[0-9a-f]+}} were used on a memory with layout 0x0: ask for accessors again after a change of its layout
// CHECK-NEXT: fresh accessors do not
// CHECK-NEXT: the perf map has 22 functions at their places
#include <memfold/jit.h>
#include <memfold/memory.h>
#include <memfold/panic.h>

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define REGION_START 0x10000u
#define REGION_BYTES 0x4000u

static mf_jit *jit;

static void must(mf_status status, const mf_diag *diag) {
    if (status == MF_OK)
        return;
    printf("%s: %s\n", mf_status_name(status), diag->message);
    exit(1);
}

static void require(bool is_right, const char *what) {
    if (is_right)
        return;
    printf("wrong: %s\n", what);
    fflush(stdout);
    exit(1);
}

static mf_layout *make_layout(uint32_t start) {
    mf_layout_builder *builder = mf_layout_builder_create();
    mf_layout *layout;
    mf_diag diag;
    must(mf_layout_builder_map_region(builder, start, REGION_BYTES, MF_READ_WRITE, NULL, 0, &diag), &diag);
    must(mf_layout_builder_finish(builder, &layout, NULL, &diag), &diag);
    mf_layout_builder_destroy(builder);
    return layout;
}

static mf_memory *make_memory(uint32_t start) {
    mf_layout *layout = make_layout(start);
    mf_memory *memory;
    mf_diag diag;
    must(mf_memory_create(layout, NULL, MF_BACKEND_COPY, &memory, &diag), &diag);
    mf_layout_release(layout);
    return memory;
}

static mf_code *get(const mf_layout *layout, const mf_accessor_options *options) {
    mf_code *code;
    mf_diag diag;
    must(mf_jit_get(jit, layout, options, &code, &diag), &diag);
    return code;
}

static uintptr_t place_of(const mf_code *code, mf_accessor_id id) {
    return (uintptr_t)mf_accessors_member(mf_code_accessors(code), id);
}

/* ---- Who gets which ---- */

/* Equal content is enough: neither the same layout object nor the same options object is needed. */
static void test_same_request(void) {
    mf_layout *first = make_layout(REGION_START);
    mf_layout *second = make_layout(REGION_START);
    mf_memory *memory = make_memory(REGION_START);
    const mf_accessor_options defaults = {0};
    mf_diag diag;
    mf_code *a = get(first, NULL);
    mf_code *b = get(second, &defaults);
    mf_code *c;
    must(mf_jit_get_for(jit, memory, NULL, &c, &diag), &diag);
    require(a == b && b == c && mf_code_retain(a) == a, "three requests, one code");
    require(mf_layout_equal(mf_code_layout(a), second), "the layout of the code");
    mf_code_release(a);
    mf_code_release(a);
    mf_code_release(b);
    require(mf_code_accessors(c)->load_u8(mf_memory_view(memory), REGION_START).status == 0,
            "the last reference keeps the code");
    mf_code_release(c);
    mf_memory_destroy(memory);
    mf_layout_release(first);
    mf_layout_release(second);
    printf("the same request gives the same code\n");
}

static void test_options(void) {
    const mf_accessor_options all[] = {
        {0},
        {.policy = MF_POLICY_BOUNDS},
        {.policy = MF_POLICY_NONE},
        {.endian = MF_BIG_ENDIAN},
        {.on_fault = MF_ON_FAULT_TRAP},
        {.base = MF_BASE_ARGUMENT},
        {.base = MF_BASE_CONSTANT},
        {.base = MF_BASE_CONSTANT, .base_address = 0x10000},
        {.index = MF_INDEX_U33},
        {.spectre = MF_SPECTRE_MASK},
        {.strategy = MF_STRATEGY_PERM_TABLE},
        {.strategy = MF_STRATEGY_TWO_WINDOWS},
        {.strategy = MF_STRATEGY_IMMEDIATE_BITMAP},
        {.strategy = MF_STRATEGY_GRANULE_BITMAP},
        {.strategy = MF_STRATEGY_PERM_TABLE, .hot_address = REGION_START, .hot_percent = 99},
        {.strategy = MF_STRATEGY_PERM_TABLE, .hot_address = REGION_START, .hot_percent = 100},
    };
    enum { COUNT = sizeof all / sizeof all[0] };
    mf_code *codes[COUNT];
    mf_layout *layout = make_layout(REGION_START);
    for (size_t i = 0; i < COUNT; i++) {
        codes[i] = get(layout, &all[i]);
        for (size_t k = 0; k < i; k++)
            for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++)
                require(place_of(codes[i], id) != place_of(codes[k], id),
                        "two sets of options, one function");
    }
    for (size_t i = 0; i < COUNT; i++)
        mf_code_release(codes[i]);
    mf_layout_release(layout);
    printf("every option gives code of its own\n");
}

static void test_refusal(void) {
    mf_layout *layout = make_layout(REGION_START);
    const mf_accessor_options inexact = {.strategy = MF_STRATEGY_HEAP};
    const mf_accessor_options invalid = {.base_address = 1};
    mf_code *const untouched = (mf_code *)layout;
    mf_code *code = untouched;
    mf_diag diag;
    for (int i = 0; i < 2; i++) {
        require(mf_jit_get(jit, layout, &inexact, &code, &diag) == MF_INEXACT_STRATEGY, "inexact strategy");
        require(diag.status == MF_INEXACT_STRATEGY && diag.message[0] != '\0', "the diagnostic says so");
        require(mf_jit_get(jit, layout, &invalid, &code, NULL) == MF_INVALID_ARGUMENT, "invalid options");
    }
    require(code == untouched, "the result is not written");
    mf_layout_release(layout);
    printf("a refused request gives no code\n");
}

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

static void test_mappings(void) {
    mf_layout *layout = make_layout(REGION_START);
    mf_code *code = get(layout, NULL);
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

static void test_never_both(void) {
    pthread_t watcher;
    require(pthread_create(&watcher, NULL, watch, NULL) == 0, "no thread");
    for (uint32_t i = 0; i < 40; i++) {
        mf_layout *layout = make_layout(REGION_START + i * MF_PAGE_SIZE);
        mf_code_release(get(layout, NULL));
        mf_layout_release(layout);
    }
    atomic_store(&is_over, true);
    pthread_join(watcher, NULL);
    require(!atomic_load(&has_found), "a mapping is writable and executable");
    printf("nothing is ever writable and executable: %u looks\n", atomic_load(&looks));
}

/* ---- Stale use ---- */

static void print_panic(const char *message) {
    printf("stale accessors panic: %s\n", message);
    fflush(stdout);
}

/* In a child, because a panic ends the process. Returns how it ended. */
static int use_stale_in_child(const mf_code *code, mf_memory *memory) {
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        mf_panic_hook_set(print_panic);
        mf_code_accessors(code)->load_u8(mf_memory_view(memory), REGION_START);
        printf("stale accessors answer\n");
        fflush(stdout);
        _exit(0);
    }
    int status = 0;
    require(child > 0 && waitpid(child, &status, 0) == child, "no child");
    return status;
}

static uint32_t load_status(const mf_code *code, mf_memory *memory) {
    return mf_code_accessors(code)->load_u8(mf_memory_view(memory), REGION_START).status;
}

static void test_stale(void) {
    const mf_accessor_options options = {.stale = MF_STALE_CHECK};
    mf_memory *memory = make_memory(REGION_START);
    mf_code *code;
    mf_code *fresh;
    mf_diag diag;
    must(mf_jit_get_for(jit, memory, &options, &code, &diag), &diag);
    must(mf_memory_protect(memory, REGION_START, MF_PAGE_SIZE, MF_PERM_NONE, &diag), &diag);
    int status = use_stale_in_child(code, memory);
    require(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "the process ends with abort");

    must(mf_jit_get_for(jit, memory, &options, &fresh, &diag), &diag);
    require(fresh != code && load_status(fresh, memory) == MF_PAGE_FAULT, "the new layout has new accessors");
    mf_code_release(fresh);
    must(mf_memory_protect(memory, REGION_START, MF_PAGE_SIZE, MF_PERM_RW, &diag), &diag);
    must(mf_jit_get_for(jit, memory, &options, &fresh, &diag), &diag);
    require(fresh == code && load_status(code, memory) == 0, "the old layout has the old accessors again");
    mf_code_release(fresh);
    mf_code_release(code);
    mf_memory_destroy(memory);
    printf("fresh accessors do not\n");
}

/* ---- The perf map ---- */

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

static void test_perf_map(void) {
    const mf_jit_config config = {.symbol_prefix = "guest", .perf_map = true};
    char path[64];
    mf_diag diag;
    snprintf(path, sizeof path, "/tmp/perf-%ld.map", (long)getpid());
    must(mf_jit_create(&config, &jit, &diag), &diag);
    mf_layout *first = make_layout(REGION_START);
    mf_layout *second = make_layout(2 * REGION_START);
    mf_code *a = get(first, NULL);
    mf_code *b = get(second, NULL);
    unsigned count = count_in_perf_map(path, a, 0) + count_in_perf_map(path, b, 1);
    mf_code_release(a);
    mf_code_release(b);
    mf_layout_release(first);
    mf_layout_release(second);
    mf_jit_destroy(jit);
    unlink(path);
    printf("the perf map has %u functions at their places\n", count);
}

int main(void) {
    mf_diag diag;
    must(mf_jit_create(NULL, &jit, &diag), &diag);
    test_same_request();
    test_options();
    test_refusal();
    test_mappings();
    test_never_both();
    test_stale();
    mf_jit_destroy(jit);
    test_perf_map();
    return 0;
}
