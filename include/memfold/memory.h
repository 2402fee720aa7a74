/*
 * A memory: the bytes and the live permissions of one guest.
 *
 * Thread rule, for every function here unless it says otherwise: accesses (read, write, fill, copy, span,
 * is_accessible, and accessors) may run in several threads at once, each with its own view; functions that
 * change the memory (map_region, protect, unmap, sbrk, reset, clone, layout, attach, detach, destroy) exclude
 * everything else on the same memory, and that is the caller's to arrange. Different memories are
 * independent.
 */
#ifndef MEMFOLD_MEMORY_H
#define MEMFOLD_MEMORY_H

#include <memfold/abi.h>
#include <memfold/layout.h>
#include <memfold/options.h>
#include <memfold/public.h>
#include <memfold/status.h>

#include <stdbool.h>

MF_PUBLIC_BEGIN

typedef struct mf_memory mf_memory;

/* Whether runs of 2 MiB and more ask the host for huge pages. */
typedef enum mf_huge_pages { MF_HUGE_PAGES_ALLOWED = 0, MF_HUGE_PAGES_NEVER = 1 } mf_huge_pages;

/* How a memory is made. All zero is the default: the copy backend, huge pages where the host allows them. */
typedef struct mf_memory_config {
    mf_backend backend;
    mf_huge_pages huge_pages;
} mf_memory_config;

/* ---- Life ---------------------------------------------------------------------------------- */

/*
 * Writes a new memory with the pages of `layout` (NULL: no page, no heap) and the bytes of `image` (NULL:
 * all zero), of which it keeps references. Bytes that the image gives to pages without permission are
 * kept there. The caller owns the memory; destroy(NULL) does nothing. MF_OUT_OF_MEMORY (address space, bytes,
 * or the kernel's limit of mappings), MF_INVALID_ARGUMENT for a backend that is not there, MF_IO if the fault
 * handler of x86_paged cannot be installed.
 *
 * Memory of the host is committed page by page as bytes are touched, however long the layout is; in a kernel
 * (bare.h) frames are taken for every page that can be accessed.
 */
mf_status mf_memory_create(const mf_layout *layout, const mf_image *image, mf_backend backend,
                           mf_memory **memory, mf_diag *diag);
mf_status mf_memory_create_with(const mf_layout *layout, const mf_image *image,
                                const mf_memory_config *config, mf_memory **memory, mf_diag *diag);
void mf_memory_destroy(mf_memory *memory);

/*
 * Writes an independent copy: same bytes, permissions and heap top; the same creation state, so that reset
 * gives both the same. Its fault record is clear and it has no further views. Counts as a change of `memory`
 * for the thread rule. MF_OUT_OF_MEMORY.
 */
mf_status mf_memory_clone(const mf_memory *memory, mf_memory **clone, mf_diag *diag);

/* The memory is as it was created: permissions, bytes, heap top. The fault record of every view is clear. */
mf_status mf_memory_reset(mf_memory *memory, mf_diag *diag);

/* ---- Views --------------------------------------------------------------------------------- */

/* Borrows the memory's own view, which lives as long as the memory. */
mf_view *mf_memory_view(mf_memory *memory);

/* `view` (the caller's storage) is a further view of `memory`, for another thread. */
void mf_view_attach(mf_view *view, mf_memory *memory);

/* `view` belongs to no memory any more. Every further view is detached before the memory is destroyed. */
void mf_view_detach(mf_view *view);

/* ---- Pages --------------------------------------------------------------------------------- */

/*
 * The pages of [start, start + size) have `access` and keep their bytes, except that those from `start`
 * on become `init` (at most `size` of its `init_bytes`; NULL for none). Size 0 is legal and does nothing.
 * MF_UNALIGNED_START, MF_UNALIGNED_SIZE, MF_OVERFLOW (past 2^32), each with the offending value;
 * MF_OUT_OF_MEMORY.
 */
mf_status mf_memory_map_region(mf_memory *memory, uint64_t start, uint64_t size, mf_access access,
                               const void *init, size_t init_bytes, mf_diag *diag);

/* The pages have `perm` and keep their bytes, also to and from MF_PERM_NONE. Errors as map_region. */
mf_status mf_memory_protect(mf_memory *memory, uint64_t start, uint64_t size, mf_perm perm, mf_diag *diag);

/* The pages are MF_PERM_NONE and their bytes zero. Errors as map_region. */
mf_status mf_memory_unmap(mf_memory *memory, uint64_t start, uint64_t size, mf_diag *diag);

/*
 * Grows the heap by `bytes` and writes the old top. The pages in [roundup(old), roundup(old + bytes)) are
 * read-write and zero. MF_HEAP_REFUSED beyond the heap's maximum or if one of those pages is not
 * MF_PERM_NONE; MF_OUT_OF_MEMORY. Never makes accessors stale.
 */
mf_status mf_memory_sbrk(mf_memory *memory, uint64_t bytes, uint64_t *old_top, mf_diag *diag);

/* ---- State --------------------------------------------------------------------------------- */

mf_perm mf_memory_perm_of(const mf_memory *memory, uint32_t address);

/* The end of the highest page that is not MF_PERM_NONE, 0 if there is none. */
uint64_t mf_memory_len(const mf_memory *memory);

/* True if `address` lies below mf_memory_len, mapped or not. */
static inline bool mf_memory_is_in_bounds(const mf_memory *memory, uint32_t address) {
    return address < mf_memory_len(memory);
}

uint32_t mf_memory_heap_base(const mf_memory *memory);
uint64_t mf_memory_heap_top(const mf_memory *memory);
uint32_t mf_memory_max_heap_pages(const mf_memory *memory);
mf_backend mf_memory_backend(const mf_memory *memory);

/*
 * Writes the layout that the memory has now; the caller owns one reference. The pages that sbrk has added
 * are the heap's, not regions: after sbrk this is still the same layout. If a page below the heap's top
 * has been given another permission, those pages are regions and the heap begins at its top.
 * Counts as a change of the memory for the thread rule. MF_OUT_OF_MEMORY.
 */
mf_status mf_memory_layout(mf_memory *memory, mf_layout **layout, mf_diag *diag);

/* ---- Accesses ------------------------------------------------------------------------------ */

/*
 * All or nothing over [address, address + length), by the fault contract: true if it was done; otherwise
 * no byte has changed and the view's fault record says why. Length 0 always succeeds. Host buffers never
 * overlap guest bytes.
 */
bool mf_view_read(mf_view *view, uint32_t address, void *to, size_t length);
bool mf_view_write(mf_view *view, uint32_t address, const void *from, size_t length);
bool mf_view_fill(mf_view *view, uint32_t address, uint8_t byte, uint64_t length);

/* Copies [from, from + length) to [to, ...) as memmove does. The source is checked first. */
bool mf_view_copy(mf_view *view, uint32_t to, uint32_t from, uint64_t length);

/*
 * Borrows the host bytes of [address, address + length) for `operation`, until the next change of the
 * memory. NULL and the fault record if they are not all accessible.
 */
void *mf_view_span(mf_view *view, uint32_t address, uint64_t length, mf_operation operation);

/* True if `operation` may touch all of [address, address + length). Never writes the fault record. */
bool mf_view_is_accessible(const mf_view *view, uint32_t address, uint64_t length, mf_operation operation);

/* The same through the memory's own view. */
static inline bool mf_memory_read(mf_memory *memory, uint32_t address, void *to, size_t length) {
    return mf_view_read(mf_memory_view(memory), address, to, length);
}
static inline bool mf_memory_write(mf_memory *memory, uint32_t address, const void *from, size_t length) {
    return mf_view_write(mf_memory_view(memory), address, from, length);
}
static inline bool mf_memory_fill(mf_memory *memory, uint32_t address, uint8_t byte, uint64_t length) {
    return mf_view_fill(mf_memory_view(memory), address, byte, length);
}
static inline bool mf_memory_copy(mf_memory *memory, uint32_t to, uint32_t from, uint64_t length) {
    return mf_view_copy(mf_memory_view(memory), to, from, length);
}
static inline void *mf_memory_span(mf_memory *memory, uint32_t address, uint64_t length,
                                   mf_operation operation) {
    return mf_view_span(mf_memory_view(memory), address, length, operation);
}
static inline bool mf_memory_is_accessible(mf_memory *memory, uint32_t address, uint64_t length,
                                           mf_operation operation) {
    return mf_view_is_accessible(mf_memory_view(memory), address, length, operation);
}

/* The last fault through the memory's own view; kind 0 if there was none since creation or reset. */
static inline mf_fault mf_memory_last_fault(mf_memory *memory) {
    return mf_memory_view(memory)->fault;
}

MF_PUBLIC_END

#endif
