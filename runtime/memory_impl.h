/* The inside of a memory, shared by the files that change one and the backends. */
#ifndef MEMFOLD_RUNTIME_MEMORY_IMPL_H
#define MEMFOLD_RUNTIME_MEMORY_IMPL_H

#include <memfold/memory.h>

#include "backed.h"
#include "backend.h"
#include "image_impl.h"
#include "layout_impl.h"
#include "perm_table.h"

#include <stdatomic.h>

/* What the copy backend keeps of a memory. */
typedef struct copy_part {
    uint64_t committed_bytes; /* from guest address 0 on; beyond them no byte exists */
} copy_part;

/* What the x86_paged backend keeps of a memory. */
typedef struct paged_part {
    struct map *map;    /* NULL: never opened */
    uint64_t end_bytes; /* pages of the host at or above have never had a permission or a byte */
    page_run touched;   /* since creation no other page has changed but by stores and sbrk */
} paged_part;

struct mf_memory {
    mf_view view; /* further views hang on view.next */
    const backend_ops *ops;
    mf_memory_config config;
    perm_table table; /* the live permissions; every view.perms points to its bytes */
    /*
     * What sbrk writes while accesses run. Atomic, as the table is, and written by one thread at a time: by
     * whoever holds `sbrk_lock`, or by a change, which excludes everything.
     */
    uint64_t heap_top;
    uint64_t grown_from; /* the pages that were added last; from the base to the base at first */
    uint64_t grown_to;
    atomic_uint sbrk_lock;
    /*
     * The state of creation, for reset. `created` is the layout that it had then, and `start` the permission
     * of every page: a memory that begins as another was frozen has pages of the heap at once, which are no
     * regions of its layout. For every other memory the two are the same.
     */
    mf_layout *created;
    mf_layout *start;
    mf_heap heap;
    uint64_t start_top;
    mf_image *image;    /* NULL: no bytes */
    backed_list backed; /* which pages are mappings of images, with the lock of sbrk held or in a change */
    page_run
        changed; /* no other page has another permission than at creation, but those that sbrk has added */
    bool has_lost_pages; /* pages may be mappings of another image; on copy they may also lack bytes of theirs
                          */
    mf_layout *current;  /* the live layout, or NULL since it changed */
    uint32_t written_pages; /* the last reset has found so many, which stay resident, or fewer */
    mf_memory *next_kept;   /* in a list of a pool, */
    uint64_t kept_bytes;    /* with so much resident memory of its own */
    union {                 /* the backend's own, zero at first; only the files of config.backend touch it */
        copy_part copy;
        paged_part paged;
    };
};

/* How far pages and bytes of creation reach: regions, and the image's bytes anywhere. */
static inline uint64_t memory_creation_end(const mf_memory *memory) {
    uint64_t end = mf_layout_len(memory->start);
    uint64_t bytes_end = image_end(memory->image);
    return bytes_end > end ? bytes_end : end;
}

/* The pages that sbrk has added since creation. */
static inline page_run memory_grown_heap(const mf_memory *memory) {
    uint64_t start_end = page_ceil(memory->start_top);
    return page_run_of(start_end, memory->view.heap_end - start_end);
}

static inline size_t memory_image_run_count(const mf_memory *memory) {
    return memory->image != NULL ? memory->image->run_count : 0;
}

/* Pages at or above have no permission and no bytes, ever. */
static inline uint64_t memory_max_bytes(const mf_memory *memory) {
    uint64_t bytes = memory->config.max_bytes;
    return bytes == 0 || bytes > MF_SPACE_BYTES ? MF_SPACE_BYTES : page_ceil(bytes);
}

/* MF_OVERFLOW with the end if pages below `end` pass that. */
static inline mf_status memory_max_check(const mf_memory *memory, uint64_t end, mf_diag *diag) {
    if (end <= memory_max_bytes(memory))
        return MF_OK;
    return mf_diag_set(diag, MF_OVERFLOW, end,
                       "0x%llx is past the end of the memory, which was made for 0x%llx bytes",
                       (unsigned long long)end, (unsigned long long)memory_max_bytes(memory));
}

static inline mf_status memory_exhausted(mf_diag *diag) {
    mf_diag_set(diag, MF_OUT_OF_MEMORY, 0, "no host memory or address space for a guest memory");
    return MF_OUT_OF_MEMORY;
}

#endif
