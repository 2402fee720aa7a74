/* Stencils written for one layout, to be held to another: a jit of a build with assertions would compare the
 * layout. */
#ifndef MEMFOLD_TEST_VERIFY_WRITTEN_H
#define MEMFOLD_TEST_VERIFY_WRITTEN_H

#include "scenes.h"

#include <memfold/exception_table.h>
#include <memfold/stencil.h>
#include <memfold/verify.h>

#include <sys/mman.h>

typedef struct written {
    void *code;
    size_t bytes;
    mf_accessors accessors;
    mf_verify_subject subject;
} written;

/* Executable, and its entries registered: to be ended by written_fini. */
static inline void written_init(written *w, const mf_layout *layout, const mf_accessor_options *options) {
    mf_stencil_set set;
    mf_diag diag = {0};
    scene_must(mf_stencil_size(layout, options, &w->bytes, &diag) == MF_OK, diag.message);
    w->code = mmap(NULL, w->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    scene_must(w->code != MAP_FAILED, "mmap");
    scene_must(mf_stencil_emit(layout, options, w->code, w->bytes, &set, &diag) == MF_OK, diag.message);
    scene_must(mprotect(w->code, w->bytes, PROT_READ | PROT_EXEC) == 0, "mprotect");
    mf_stencil_accessors(&set, w->code, &w->accessors);
    w->subject.accessors = &w->accessors;
    w->subject.entries = (const mf_exception_entry *)(const void *)((const char *)w->code + set.entries);
    w->subject.entry_count = set.entry_count;
    scene_must(mf_exception_table_register(w->subject.entries, set.entry_count, &diag) == MF_OK,
               diag.message);
}

static inline void written_fini(written *w) {
    mf_exception_table_unregister(w->subject.entries);
    munmap(w->code, w->bytes);
}

#endif
