/* The inside of a memory, shared by the files memory_*.c and the backends. */
#ifndef MEMFOLD_RUNTIME_MEMORY_IMPL_H
#define MEMFOLD_RUNTIME_MEMORY_IMPL_H

#include <memfold/memory.h>

#include "backend.h"
#include "image_impl.h"
#include "layout_impl.h"

struct mf_memory {
    mf_view view; /* further views hang on view.next */
    const backend_ops *ops;
    mf_memory_config config;
    unsigned char *perms; /* the live permission table, also view.perms */
    uint32_t len_pages;   /* end of the highest page that is not NONE: the table is zero from here on */
    uint64_t heap_top;
    mf_layout *created; /* layout and image of creation, for reset */
    mf_image *image;    /* NULL: no bytes */
    mf_layout *current; /* the live layout, or NULL since it changed */

    /* The backend's. */
    struct map *map;     /* of x86_paged; NULL: never opened */
    uint64_t host_bytes; /* how far bytes may exist on the host */
    bool only_grown;     /* since creation no page has changed but by stores and sbrk */
};

/* The pages have `perm` in the live table. */
void memory_set_table(mf_memory *memory, page_run run, mf_perm perm);

/* The live layout is known no more, in any view. */
void live_layout_drop(mf_memory *memory);

/* All views have this layout fingerprint, or this end of the live heap. */
void views_publish_fingerprint(mf_memory *memory, uint64_t fingerprint);
void views_publish_heap_end(mf_memory *memory, uint64_t heap_end);

/* How far pages and bytes of creation reach: regions, and the image's bytes anywhere. */
uint64_t memory_creation_end(const mf_memory *memory);

static inline size_t memory_chunk_count(const mf_memory *memory) {
    return memory->image != NULL ? memory->image->chunk_count : 0;
}

static inline mf_status memory_exhausted(mf_diag *diag) {
    return mf_diag_set(diag, MF_OUT_OF_MEMORY, 0, "no host memory or address space for a guest memory");
}

#endif
