/*
 * Every call that a jit makes of the host and of LLVM, refused in its turn: a status that says why, nothing
 * left behind, and working accessors at the next attempt, on both backends. What LLVM allocates itself is not
 * refused: it ends the process (jit.h).
 *
 * RUN: %cc -D_GNU_SOURCE -isystem %llvm-include %s %S/lib/refuse_calls.c %S/lib/refuse_llvm.c %refuse-calls %refuse-llvm -o %t %gen
 * RUN: %t | FileCheck %s
 *
 * UNSUPPORTED: sanitize-thread
 *
 * CHECK: create a jit: {{[1-9][0-9]*}} calls
 * CHECK-NEXT: get code for copy: {{[1-9][0-9]*}} calls
 * CHECK-NEXT: get code for x86_paged: {{[1-9][0-9]*}} calls
 * CHECK-NEXT: get known code: {{[0-9]+}} calls
 * CHECK-NEXT: release code: {{[0-9]+}} calls
 */
#include "lib/every_call.h"

#include <memfold/llvm_maker.h>
#include <memfold/memory.h>

/* UBSan looks for a type hash in front of the callee, and code made at run time has none there. */
#ifdef __clang__
#define CALLS_MADE_CODE __attribute__((no_sanitize("function")))
#else
#define CALLS_MADE_CODE
#endif

static mf_jit *jit;
static mf_jit_config config;
static mf_layout *layout;

static void run_create(const void *context) {
    (void)context;
    mf_jit *made = NULL;
    mf_diag diag = {0};
    refusals_begin();
    mf_status status = mf_jit_create(&config, &made, &diag);
    refusals_end();
    if (was_refused(status, &diag)) {
        expect_here(made == NULL);
        expect_here(mf_jit_create(&config, &made, &diag) == MF_OK);
    }
    mf_jit_destroy(made);
}

CALLS_MADE_CODE static void expect_works(mf_code *code, mf_backend backend) {
    mf_memory *memory;
    expect_here(mf_memory_create(layout, NULL, backend, &memory, NULL) == MF_OK);
    const mf_accessors *guest = mf_code_accessors(code);
    mf_view *view = mf_memory_view(memory);
    expect_here(guest->store_u32(view, 0x20000, 42) == 0 && guest->load_u32(view, 0x20000).value == 42);
    expect_here(guest->load_u32(view, 0x20ffe).status == MF_PAGE_FAULT && view->fault.page == 0x21000);
    mf_memory_destroy(memory);
}

static void run_get(const void *context) {
    mf_accessor_options options = {.backend = *(const mf_backend *)context};
    mf_code *code = NULL;
    mf_diag diag = {0};
    refusals_begin();
    mf_status status = mf_jit_get(jit, layout, &options, &code, &diag);
    refusals_end();
    if (was_refused(status, &diag)) {
        expect_here(code == NULL);
        expect_here(mf_jit_get(jit, layout, &options, &code, &diag) == MF_OK);
    }
    expect_works(code, options.backend);
    mf_code_release(code);
}

/* The references are counted; none is lost when a call in between is refused. */
static void run_known(const void *context) {
    (void)context;
    mf_code *first = NULL, *second = NULL;
    mf_diag diag = {0};
    expect_here(mf_jit_get(jit, layout, NULL, &first, &diag) == MF_OK);
    refusals_begin();
    mf_status status = mf_jit_get(jit, layout, NULL, &second, &diag);
    refusals_end();
    expect_here(status == MF_OK && first == second);
    mf_code_release(first);
    expect_works(second, MF_BACKEND_COPY);
    mf_code_release(second);
}

static void run_release(const void *context) {
    (void)context;
    mf_code *code = NULL;
    mf_diag diag = {0};
    expect_here(mf_jit_get(jit, layout, NULL, &code, &diag) == MF_OK);
    refusals_begin();
    mf_code_release(code);
    refusals_end();
}

static mf_layout *one_page(void) {
    mf_layout_builder *builder = mf_layout_builder_create();
    mf_layout *made = NULL;
    expect_here(mf_layout_builder_map_region(builder, 0x20000, 4096, MF_READ_WRITE, NULL, 0, NULL) == MF_OK &&
                mf_layout_builder_finish(builder, &made, NULL, NULL) == MF_OK);
    mf_layout_builder_destroy(builder);
    return made;
}

int main(void) {
    static const mf_backend copy = MF_BACKEND_COPY, paged = MF_BACKEND_X86_PAGED;
    layout = one_page();
    config.maker = mf_llvm_maker();
    refuse_every_call("create a jit", run_create, NULL, true);
    expect_here(mf_jit_create(&config, &jit, NULL) == MF_OK);
    /* The cache has grown and the process's tables are there before anything is counted. */
    run_get(&copy);
    run_get(&paged);
    refuse_every_call("get code for copy", run_get, &copy, true);
    refuse_every_call("get code for x86_paged", run_get, &paged, true);
    refuse_every_call("get known code", run_known, NULL, true);
    refuse_every_call("release code", run_release, NULL, true);
    mf_jit_destroy(jit);
    mf_layout_release(layout);
    return 0;
}
