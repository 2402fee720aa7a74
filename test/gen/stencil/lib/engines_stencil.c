/* Stencils as engines, each set in pages of its own: what is compared is the writing, without a jit. */
#include "engines_generic.h"
#include "engines_pools.h"

#include "stencil/write.h"

#include <memfold/plan.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

void engines_start(void) {
}

void engines_stop(void) {
    destroy_pools();
}

bool engines_strategy_is_exact(const mf_layout *layout, const mf_accessor_options *options) {
    mf_plan plan;
    for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++)
        if (mf_plan_make(layout, id, options, &plan, NULL) != MF_OK)
            return false;
    return true;
}

/* ---- stencil ---- */

/* Stands before the set, in a page of its own. */
typedef struct page {
    size_t bytes;
    const mf_exception_entry *entries; /* NULL if there are none */
    mf_accessors accessors;
} page;

static void must(bool holds, const char *what) {
    if (holds)
        return;
    printf("%s\n", what);
    exit(1);
}

static bool stencil_serves(const mf_accessor_options *options) {
    (void)options;
    return true;
}

static bool paged_stencil_serves(const mf_accessor_options *options) {
    return options->policy != MF_POLICY_BOUNDS && options->strategy == MF_STRATEGY_AUTO;
}

static page *write_set(const mf_layout *layout, const mf_accessor_options *options) {
    static plan_set plans;
    stencil_set set;
    mf_diag diag;
    engines_must(plan_set_make(layout, options, &plans, &diag), &diag, "plan_set_make");
    must(stencil_set_choose(&plans, options, &set), "a shape is not on the list");
    size_t bytes = MF_PAGE_SIZE + set.bytes;
    unsigned char *host = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    must(host != MAP_FAILED, "mmap");
    unsigned char *code = host + MF_PAGE_SIZE;
    stencil_set_write(&set, code);
    page *made = (page *)host;
    made->bytes = bytes;
    made->accessors =
        stencil_accessors(set.functions, plan_fit_make(layout, options, &plans), (uintptr_t)code);
    plan_set_fini(&plans);
    must(mprotect(code, set.code_bytes, PROT_READ | PROT_EXEC) == 0, "mprotect");
    if (set.entry_count > 0) {
        made->entries = (const mf_exception_entry *)(const void *)(code + set.entries);
        engines_must(mf_exception_table_register(made->entries, set.entry_count, &diag), &diag, "register");
    }
    return made;
}

static engine_code stencil_acquire(mf_memory *memory, const mf_accessor_options *options) {
    mf_layout *layout;
    mf_diag diag;
    engines_must(mf_memory_layout(memory, &layout, &diag), &diag, "mf_memory_layout");
    page *made = write_set(layout, options);
    mf_layout_release(layout);
    return (engine_code){.set = &made->accessors};
}

static void stencil_release(engine_code code) {
    page *made = (page *)((uintptr_t)code.set & ~(uintptr_t)(MF_PAGE_SIZE - 1));
    if (made->entries != NULL)
        mf_exception_table_unregister(made->entries);
    munmap(made, made->bytes);
}

/* ---- The table ---- */

const engine ENGINES[] = {
    {"copy/generic", MF_BACKEND_COPY, generic_serves, generic_acquire, generic_release},
    {"copy/stencil", MF_BACKEND_COPY, stencil_serves, stencil_acquire, stencil_release},
    {"x86_paged/stencil", MF_BACKEND_X86_PAGED, paged_stencil_serves, stencil_acquire, stencil_release},
};
const size_t ENGINE_COUNT = sizeof ENGINES / sizeof ENGINES[0];
