/*
 * The pages that a memory shares with others: mappings of its images (backed.h), made and taken back by the
 * backend. Whatever the host refuses to map is copied by those who ask; nothing here fails.
 */
#ifndef MEMFOLD_RUNTIME_SHARING_H
#define MEMFOLD_RUNTIME_SHARING_H

#include "memory_impl.h"

/*
 * Reset looks at so few pages one by one, if they are all that can have other bytes, and does not ask the
 * host which have been written: it makes no system call then.
 */
#define SMALL_PAGES_MAX 64
void memory_restore_small(mf_memory *memory, const page_run *runs, size_t count);

/* A memory just opened has mappings of its image, or of what `from` has; all without permission. */
void sharing_build(mf_memory *memory);
void sharing_clone(mf_memory *memory, const mf_memory *from);

/*
 * The memory has mappings of the image of creation and of no other, with the permissions of creation, as far
 * as the host allows. The bytes of pages whose mapping changes are lost.
 */
void sharing_return(mf_memory *memory);

/*
 * The memory, whose bytes are those of `image`, has mappings of it with the permissions that it has now.
 * Pages that are not mapped keep their bytes.
 */
void sharing_adopt(mf_memory *memory, const mf_image *image);

/* Whether the image of creation has bytes in any of the pages. */
bool sharing_has_image(const mf_memory *memory, page_run run);

/* The first part of `run` that has bytes in the image of creation or is a mapping of any image; empty, at the
 * end of `run`, if there is none. */
page_run sharing_first_begun(const mf_memory *memory, page_run run);

/* Visits parts of `within` in ascending order until one visit is false; then so is the result. */
typedef bool sharing_visit(void *context, page_run part);

/* The pages that have bytes in the image of creation and are no mapping of it. */
bool sharing_visit_unshared(const mf_memory *memory, page_run within, sharing_visit *visit, void *context);

/* The pages that are mappings of another image, and whether there are any. */
bool sharing_has_foreign(const mf_memory *memory);
bool sharing_has_foreign_in(const mf_memory *memory, page_run run);
bool sharing_visit_foreign(const mf_memory *memory, sharing_visit *visit, void *context);

/*
 * What a backend's visit_written hands to os_visit_written, with one of these as context: written runs go to
 * `visit`, and of the page of zeros the parts that began with bytes of an image. A memory without images has
 * no visit for zeros.
 */
typedef struct sharing_written {
    const mf_memory *memory;
    os_visit *visit;
    void *context;
    size_t start; /* guest address that offsets are from */
} sharing_written;
bool sharing_visit_written(void *written, size_t offset, size_t bytes, bool is_certain);
os_visit *sharing_zero_visit(const mf_memory *memory);

#endif
