// Threads ask for known and new code, and run it, while main returns and LLVM is destroyed: nobody crashes
// or hangs, and once the process has begun to end new code is a status. A thread of the host that is joined
// by one of its own destructors comes to an end.
//
// RUN: %cc %jit %s -o %t %gen
// RUN: %t | FileCheck %s
//
// CHECK: 12 processes ended while their threads compiled
#include "jit_support.h"

#include <memfold/aot.h>

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static mf_jit *jit;
static pthread_t joined;
static atomic_bool is_child, stop;

static void expect_end(mf_status status, const mf_diag *diag) {
    if (status != MF_LLVM || strstr(diag->message, "the process ends") == NULL)
        _exit(3);
}

static void *compile_always(void *first) {
    mf_diag diag;
    for (uint32_t i = (uint32_t)(uintptr_t)first; !atomic_load(&stop); i++) {
        const mf_accessor_options options = {.on_fault = i & 1, .index = i >> 1 & 1};
        mf_layout *layout = make_layout(i % 4096 * 0x10000);
        mf_code *code;
        mf_status status = mf_jit_get(jit, layout, &options, &code, &diag);
        if (status == MF_OK)
            mf_code_release(code);
        else
            expect_end(status, &diag);
        mf_layout_release(layout);
    }
    return NULL;
}

static void *emit_always(void *unused) {
    const mf_aot_options options = {.symbol_prefix = "guest"};
    mf_layout *layout = make_layout(0);
    mf_diag diag;
    char *bytes;
    size_t byte_count;
    (void)unused;
    while (!atomic_load(&stop)) {
        mf_status status = mf_aot_emit(layout, &options, MF_EMIT_OBJECT, &bytes, &byte_count, &diag);
        if (status == MF_OK)
            mf_aot_free(bytes);
        else
            expect_end(status, &diag);
    }
    mf_layout_release(layout);
    return NULL;
}

static void *run_sometimes(void *unused) {
    mf_layout *layout = make_layout(0x30000000);
    mf_memory *memory = make_memory(0x30000000);
    (void)unused;
    while (!atomic_load(&stop)) {
        mf_code *code = get_code(jit, layout, NULL);
        if (mf_code_accessors(code)->store_u8(mf_memory_view(memory), 0x30000000, 1) != 0)
            _exit(4);
        mf_code_release(code);
        usleep(100);
    }
    mf_memory_destroy(memory);
    mf_layout_release(layout);
    return NULL;
}

/* Late, when LLVM's own destructors have run. */
__attribute__((destructor)) static void join_and_wait(void) {
    if (atomic_load(&is_child)) {
        usleep(50000);
        atomic_store(&stop, true);
        pthread_join(joined, NULL);
    }
}

static void be_child(unsigned number) {
    pthread_t thread;
    alarm(60);
    atomic_store(&is_child, true);
    jit = make_jit(NULL);
    mf_layout *known = make_layout(0x30000000);
    get_code(jit, known, NULL);
    pthread_create(&joined, NULL, compile_always, (void *)0);
    pthread_create(&thread, NULL, number % 4 == 3 ? emit_always : compile_always, (void *)2000);
    pthread_detach(thread);
    pthread_create(&thread, NULL, run_sometimes, NULL);
    pthread_detach(thread);
    usleep(20000 + 3000 * number);
    exit(0);
}

int main(void) {
    unsigned ended = 0;
    for (unsigned number = 0; number < 12; number++) {
        int status = 1;
        pid_t child = fork();
        if (child == 0)
            be_child(number);
        if (waitpid(child, &status, 0) == child && status == 0)
            ended++;
        else
            fprintf(stderr, "status %x\n", (unsigned)status);
    }
    printf("%u processes ended while their threads compiled\n", ended);
    return 0;
}
