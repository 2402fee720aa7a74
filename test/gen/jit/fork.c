// A process forks while other threads compile, release, ask for known code and emit: the child gets known and
// new code, and the parent goes on. Whether the first call of all was for a jit or for an object does not
// matter.
//
// RUN: %cc %jit %s -o %t %gen
// RUN: %t | FileCheck %s
// RUN: %t emits first | FileCheck %s
//
// By stencils:
// RUN: %cc %jit %by-stencils %s -o %t.stencil %gen
// RUN: %t.stencil | FileCheck %s
// RUN: %t.stencil emits first | FileCheck %s
//
// CHECK: 12 children got known and new code
// CHECK-NEXT: a child has a perf map of its own
#include "jit_support.h"

#include <memfold/aot.h>

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHILDREN = 12 };

static mf_jit *jit;
static atomic_int stop;

static void *compile_always(void *unused) {
    (void)unused;
    for (uint32_t i = 2; !atomic_load(&stop); i++) {
        mf_layout *layout = make_layout(i % 64 * 0x10000);
        mf_code_release(get_code(jit, layout, NULL));
        mf_layout_release(layout);
    }
    return NULL;
}

static void *ask_always(void *layout) {
    while (!atomic_load(&stop))
        mf_code_release(get_code(jit, layout, NULL));
    return NULL;
}

static void emit(const mf_layout *layout) {
    const mf_aot_options options = {.symbol_prefix = "guest"};
    mf_diag diag;
    char *bytes;
    size_t byte_count;
    must(mf_aot_emit(layout, &options, MF_EMIT_OBJECT, &bytes, &byte_count, &diag), &diag);
    mf_aot_free(bytes);
}

static void *emit_always(void *layout) {
    while (!atomic_load(&stop))
        emit(layout);
    return NULL;
}

static void be_child(const mf_layout *known, uint32_t number) {
    alarm(20); /* a child that hangs dies */
    mf_layout *layout = make_layout(0x2000000 + number * 0x10000);
    mf_code *old = get_code(jit, known, NULL);
    mf_code *new = get_code(jit, layout, NULL);
    mf_memory *memory = make_memory(0x2000000 + number * 0x10000);
    mf_view *view = mf_memory_view(memory);
    require(mf_code_accessors(new)->store_u8(view, 0x2000000 + number * 0x10000, 1) == 0, "new code");
    mf_code_release(new);
    mf_code_release(old);
    mf_memory_destroy(memory);
    emit(layout);
    mf_layout_release(layout);
    mf_jit *own = make_jit(NULL);
    mf_jit_destroy(own);
    _exit(0);
}

static void fork_children(const mf_layout *known) {
    int done = 0;
    for (uint32_t i = 0; i < CHILDREN; i++) {
        int status = 1;
        pid_t child = fork();
        if (child == 0)
            be_child(known, i);
        waitpid(child, &status, 0);
        done += status == 0;
    }
    printf("%d children got known and new code\n", done);
    fflush(stdout);
}

/* How many lines are in the perf map of `process`, which is removed; -1 if there is none. */
static int take_perf_map(pid_t process) {
    char path[64];
    int lines = 0;
    snprintf(path, sizeof path, "/tmp/perf-%ld.map", (long)process);
    FILE *map = fopen(path, "r");
    if (map == NULL)
        return -1;
    for (int c; (c = getc(map)) != EOF;)
        lines += c == '\n';
    fclose(map);
    unlink(path);
    return lines;
}

static void fork_with_perf_map(void) {
    const mf_jit_config config = {.perf_map = true};
    jit = make_jit(&config);
    mf_layout *layout = make_layout(REGION_START);
    mf_code *code = get_code(jit, layout, NULL);
    pid_t child = fork();
    if (child == 0)
        be_child(layout, 0);
    waitpid(child, NULL, 0);
    require(take_perf_map(getpid()) == MF_ACCESSOR_COUNT, "the parent's map");
    require(take_perf_map(child) == MF_ACCESSOR_COUNT, "the child's map");
    mf_code_release(code);
    mf_layout_release(layout);
    mf_jit_destroy(jit);
    printf("a child has a perf map of its own\n");
}

int main(int argument_count, char **arguments) {
    static void *(*const WORK[])(void *) = {compile_always, compile_always, ask_always, ask_always,
                                            emit_always};
    pthread_t threads[5];
    (void)arguments;
    mf_layout *known = make_layout(REGION_START);
    if (argument_count > 1)
        emit(known);
    jit = make_jit(NULL);
    mf_code *held = get_code(jit, known, NULL);
    for (int i = 0; i < 5; i++)
        require(pthread_create(&threads[i], NULL, WORK[i], known) == 0, "a thread");
    fork_children(known);
    atomic_store(&stop, 1);
    for (int i = 0; i < 5; i++)
        pthread_join(threads[i], NULL);
    mf_code_release(held);
    mf_layout_release(known);
    mf_jit_destroy(jit);
    fork_with_perf_map();
    return 0;
}
