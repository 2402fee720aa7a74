/*
 * What a backend does for a memory. The memory keeps the live permission table, the layout and the heap;
 * the backend keeps the bytes, and the host's own idea of permissions if it has one. Once a backend has
 * granted pages, their bytes are at view.base + index, and bulk accesses touch them there directly.
 *
 * Each function is called before the table changes, which still says how the pages are. One that returns
 * false has changed nothing that the guest or the host can see.
 */
#ifndef MEMFOLD_RUNTIME_BACKEND_H
#define MEMFOLD_RUNTIME_BACKEND_H

#include <memfold/memory.h>

#include "os.h"
#include "pages.h"

typedef struct backend_ops {
    /* Sets view.base, which then never changes; no page is accessible. close is also called after a failure.
     */
    mf_status (*open)(mf_memory *memory, mf_diag *diag);
    void (*close)(mf_memory *memory);

    /* A memory just opened has the pages of memory->start and the bytes of memory->image. */
    bool (*build)(mf_memory *memory);

    /*
     * A memory just opened, whose table is as that of `from` already, has its pages and bytes. A failed one
     * is good for close only, as above.
     */
    bool (*clone)(mf_memory *memory, mf_memory *from);

    /* As after build, whatever has happened since. */
    bool (*rebuild)(mf_memory *memory);

    /* The pages have `perm` and keep their bytes, except the first `count`, which become `bytes`. */
    bool (*change)(mf_memory *memory, page_run run, mf_perm perm, const void *bytes, size_t count);

    /*
     * The pages, inside one shared run of an image, are a mapping of these bytes (os.h), or zero, with
     * `perm`. False: they are as they were.
     */
    bool maps_parts; /* of one permission each; else whole runs, because the host's pages may be larger */
    bool (*map_image)(mf_memory *memory, page_run run, mf_perm perm, const os_shared *shared, size_t offset);
    bool (*map_zero)(mf_memory *memory, page_run run, mf_perm perm);

    /* As os_visit_written, for all pages that may have bytes; offsets are guest addresses. */
    bool (*visit_written)(mf_memory *memory, os_visit *visit, void *context);

    /* Writes the bytes of the pages to `to`, whatever their permission is. */
    bool (*read)(mf_memory *memory, page_run run, unsigned char *to);

    /*
     * The pages have `perm`, NONE or RW, and are zero. With RW they are new pages of the heap, and others
     * access the memory meanwhile: who can access one finds it zero, and nothing is done to it after that.
     */
    bool (*clear)(mf_memory *memory, page_run run, mf_perm perm);
} backend_ops;

/* NULL where the host has no such backend. */
extern const backend_ops *const backend_copy;
extern const backend_ops *const backend_x86_paged;

/* What a backend does for a pool. A memory that was refused something is good for close only. */
typedef struct reuse_ops {
    /*
     * A memory that is as after build, without an image, is as after build with memory->start replaced by
     * `start` and memory->heap by `heap`. It is not used meanwhile, and its table is all NONE already.
     */
    bool (*reuse)(mf_memory *memory, const mf_layout *start, mf_heap heap);

    /*
     * A memory that is as after build, but has the permissions of `from` already, has its bytes too. Both
     * began alike, and `from` has no mapping of another image.
     */
    bool (*follow)(mf_memory *memory, mf_memory *from);
} reuse_ops;

/* The same; a kernel has no pools. */
extern const reuse_ops *const reuse_copy;
extern const reuse_ops *const reuse_x86_paged;

#endif
