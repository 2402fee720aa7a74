/*
 * What a backend does for a memory. The memory keeps the live permission table, the layout and the heap;
 * the backend keeps the bytes, and the host's own idea of permissions if it has one. Once a backend has
 * granted pages, their bytes are at view.base + index, and bulk accesses touch them there directly.
 *
 * A function that returns false has changed nothing that the guest or the host can see.
 */
#ifndef MEMFOLD_RUNTIME_BACKEND_H
#define MEMFOLD_RUNTIME_BACKEND_H

#include <memfold/memory.h>

#include "pages.h"

typedef struct mf_backend_ops {
    /* Sets view.base, which then never changes. close is also called after a failed open. */
    bool (*open)(mf_memory *memory);
    void (*close)(mf_memory *memory);

    /* The bytes of guest indices [0, end) exist from now on; those never touched are zero. end <= 2^32. */
    bool (*extend)(mf_memory *memory, uint64_t end);

    /* Called before the table changes, so the table still has the old permissions. */
    bool (*set_perms)(mf_memory *memory, mf_page_run run, mf_perm perm);

    /* The same for every page at once: those of `layout` and no other. */
    bool (*set_layout)(mf_memory *memory, const mf_layout *layout);

    /* Writes bytes whatever the permission of their pages; they exist. Cannot fail. */
    void (*write)(mf_memory *memory, uint64_t start, const void *bytes, size_t count);

    /* The pages are zero, whatever their permission and whether they existed before. Cannot fail. */
    void (*zero)(mf_memory *memory, mf_page_run run);

    /* `memory` is extended to hold all bytes of `from`, and has them; its own were zero. */
    bool (*copy)(mf_memory *memory, const mf_memory *from);
} mf_backend_ops;

extern const mf_backend_ops mf_backend_copy_ops;

#endif
