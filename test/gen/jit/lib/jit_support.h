/* What the programs of this directory share: expectations that end the process, layouts, memories and code.
 */
#ifndef MEMFOLD_TEST_GEN_JIT_SUPPORT_H
#define MEMFOLD_TEST_GEN_JIT_SUPPORT_H

#include "jit_maker.h"

#include <memfold/memory.h>

#include <stdio.h>
#include <stdlib.h>

#define REGION_START 0x10000u
#define REGION_BYTES 0x4000u

static inline void must(mf_status status, const mf_diag *diag) {
    if (status == MF_OK)
        return;
    printf("%s: %s\n", mf_status_name(status), diag->message);
    exit(1);
}

static inline void require(bool is_right, const char *what) {
    if (is_right)
        return;
    printf("wrong: %s\n", what);
    fflush(stdout);
    exit(1);
}

static inline mf_layout *make_layout(uint32_t start) {
    mf_layout_builder *builder = mf_layout_builder_create();
    mf_layout *layout;
    mf_diag diag;
    must(mf_layout_builder_map_region(builder, start, REGION_BYTES, MF_READ_WRITE, NULL, 0, &diag), &diag);
    must(mf_layout_builder_finish(builder, &layout, NULL, &diag), &diag);
    mf_layout_builder_destroy(builder);
    return layout;
}

static inline mf_memory *make_memory(uint32_t start) {
    mf_layout *layout = make_layout(start);
    mf_memory *memory;
    mf_diag diag;
    must(mf_memory_create(layout, NULL, MF_BACKEND_COPY, &memory, &diag), &diag);
    mf_layout_release(layout);
    return memory;
}

/* `config` may be NULL; without a maker in it JIT_MAKER makes the code. */
static inline mf_jit *make_jit(const mf_jit_config *config) {
    mf_jit_config wanted = config == NULL ? (mf_jit_config){0} : *config;
    mf_jit *jit;
    mf_diag diag;
    if (wanted.maker == NULL)
        wanted.maker = JIT_MAKER;
    must(mf_jit_create(&wanted, &jit, &diag), &diag);
    return jit;
}

static inline mf_code *get_code(mf_jit *jit, const mf_layout *layout, const mf_accessor_options *options) {
    mf_code *code;
    mf_diag diag;
    must(mf_jit_get(jit, layout, options, &code, &diag), &diag);
    return code;
}

static inline uintptr_t place_of(const mf_code *code, mf_accessor_id id) {
    return (uintptr_t)mf_accessors_member(mf_code_accessors(code), id);
}

#endif
