/*
 * A layout: the permission of every page of the guest space as sorted maximal runs, plus an optional
 * heap. Immutable, reference-counted, compared by content. Initial bytes are not part of it: they are an
 * mf_image, and a memory owns one. Example:
 *
 *     #include <memfold/layout.h>
 *     #include <stdio.h>
 *
 *     int main(void) {
 *         mf_layout_builder *builder = mf_layout_builder_create();
 *         mf_layout *layout;
 *         mf_image *image;
 *         mf_diag diag;
 *         mf_window window;
 *         if (mf_layout_builder_map_region(builder, 0x10000, 0x4000, MF_READ_ONLY, "code", 4, &diag) ||
 *             mf_layout_builder_map_region(builder, 0x14000, 0x8000, MF_READ_WRITE, NULL, 0, &diag) ||
 *             mf_layout_builder_set_heap(builder, 0x20000, 256, &diag) ||
 *             mf_layout_builder_finish(builder, &layout, &image, &diag)) {
 *             fprintf(stderr, "%s\n", diag.message);
 *             return 1;
 *         }
 *         mf_layout_builder_destroy(builder);
 *         for (uint64_t from = 0; mf_layout_window_lookup(layout, MF_LOAD, from, &window);
 *              from = window.start + window.size)
 *             printf("loads may touch 0x%llx bytes from 0x%llx on\n", (unsigned long long)window.size,
 *                    (unsigned long long)window.start);
 *         bool are_two_regions = mf_layout_region_count(layout) == 2;
 *         mf_image_release(image);
 *         mf_layout_release(layout);
 *         return are_two_regions && window.start == 0x10000 && window.size == 0xc000 ? 0 : 1;
 *     }
 */
#ifndef MEMFOLD_LAYOUT_H
#define MEMFOLD_LAYOUT_H

#include <memfold/abi.h>
#include <memfold/public.h>
#include <memfold/status.h>

#include <stdbool.h>

MF_PUBLIC_BEGIN

/* What a region may be used for. The values equal the permission of its pages. */
typedef enum mf_access { MF_READ_ONLY = MF_PERM_RO, MF_READ_WRITE = MF_PERM_RW } mf_access;

/* The pages of [start, start + size), both in bytes and multiples of 4096, start + size <= 2^32. */
typedef struct mf_region {
    uint64_t start;
    uint64_t size;
    mf_access access;
} mf_region;

/*
 * Where sbrk grows: the bytes [base, base + max_pages * 4096), of which none is the heap's at first. base is
 * a multiple of 4096. max_pages 0 is a heap that cannot grow; base 0 and max_pages 0 is no heap.
 */
typedef struct mf_heap {
    uint32_t base;
    uint32_t max_pages;
} mf_heap;

/* The bytes [start, start + size): a maximal run of pages that one operation may touch. */
typedef struct mf_window {
    uint64_t start;
    uint64_t size;
} mf_window;

/* A layout, the initial bytes that go with one, and what makes both. */
typedef struct mf_layout mf_layout;
typedef struct mf_image mf_image;
typedef struct mf_layout_builder mf_layout_builder;

/*
 * The builder collects regions in order; a later one overwrites the pages and the given bytes of an
 * earlier one. Thread rule: one thread at a time for all functions of one builder.
 *
 * Returns an empty builder: no page, no bytes, no heap. NULL if the host has no memory. The caller owns it.
 */
mf_layout_builder *mf_layout_builder_create(void);

/* The builder is gone; the layouts and images that it has finished stay. NULL does nothing. */
void mf_layout_builder_destroy(mf_layout_builder *builder);

/*
 * The pages of [start, start + size) have `access`, and the bytes from `start` on are `init` (copied; at
 * most `size` of its `init_bytes` are used; NULL for none). Size 0 is legal and does nothing.
 * MF_INVALID_ARGUMENT for another access; MF_UNALIGNED_START (the diagnostic's value is the start),
 * MF_UNALIGNED_SIZE (the size), MF_OVERFLOW past 2^32 (start + size, saturated), MF_OUT_OF_MEMORY.
 */
mf_status mf_layout_builder_map_region(mf_layout_builder *builder, uint64_t start, uint64_t size,
                                       mf_access access, const void *init, size_t init_bytes, mf_diag *diag);

/*
 * The bytes at [start, start + count) are `bytes` (copied), at any alignment and whatever the permission
 * of their pages, also of pages without any. MF_OVERFLOW as above, MF_OUT_OF_MEMORY.
 */
mf_status mf_layout_builder_set_bytes(mf_layout_builder *builder, uint64_t start, const void *bytes,
                                      size_t count, mf_diag *diag);

/*
 * The layout has this heap, instead of one that was set before. Regions may overlap it; sbrk then refuses to
 * grow over them. MF_UNALIGNED_START, MF_OVERFLOW (base is 2^32 or more, or base + max_pages * 4096 is past
 * 2^32).
 */
mf_status mf_layout_builder_set_heap(mf_layout_builder *builder, uint64_t base, uint64_t max_pages,
                                     mf_diag *diag);

/*
 * The pages of `layout` have its permissions and the bytes that `image` (NULL: none) gives them, and if it
 * has a heap the builder has the same: for layouts that are begun by another, such as that of a file, which
 * gets a stack and a heap. It comes before all other calls: where bytes have been given before, those of the
 * image may replace them by zeros, since it is made of whole pages. MF_OUT_OF_MEMORY, and then nothing is
 * added.
 */
mf_status mf_layout_builder_add(mf_layout_builder *builder, const mf_layout *layout, const mf_image *image,
                                mf_diag *diag);

/* Returns the permission that the page of `address` has so far. Never fails. */
mf_perm mf_layout_builder_perm_of(const mf_layout_builder *builder, uint32_t address);

/*
 * Writes a new layout, and a new image with all bytes given so far unless `image` is NULL; the caller owns
 * one reference of each. The builder stays as it is and may go on. MF_OUT_OF_MEMORY.
 */
mf_status mf_layout_builder_finish(const mf_layout_builder *builder, mf_layout **layout, mf_image **image,
                                   mf_diag *diag);

/*
 * Reference counts: retain adds one and returns its argument, release takes one and frees at the last; NULL
 * is fine. None of them fails. Layouts and images are immutable, so every function from here on may run in
 * any thread, also several at once on one layout; none of those that ask a layout fails, locks or allocates.
 */
mf_layout *mf_layout_retain(const mf_layout *layout);
void mf_layout_release(const mf_layout *layout);
mf_image *mf_image_retain(const mf_image *image);
void mf_image_release(const mf_image *image);

/*
 * The regions: the maximal runs of equal permission, sorted by address, not as they were mapped. `index` is
 * below the count; any other gives a region of size 0.
 */
size_t mf_layout_region_count(const mf_layout *layout);
mf_region mf_layout_region(const mf_layout *layout, size_t index);

/* The heap; base and max_pages are 0 if there is none. */
mf_heap mf_layout_heap(const mf_layout *layout);

/* The permission of the page of `address`, not counting the heap. */
mf_perm mf_layout_perm_of(const mf_layout *layout, uint32_t address);

/* The guest index where the highest region ends, 0 if there is none. */
uint64_t mf_layout_len(const mf_layout *layout);

/*
 * Writes the first window of `operation` that ends above guest index `from`, not counting the heap: loads
 * merge read-only and read-write pages, stores see only read-write pages. False, and nothing is written, if
 * there is none, as for what is no operation. All windows: `for (from = 0; mf_layout_window_lookup(l, op,
 * from, &w); from = w.start + w.size)`.
 */
bool mf_layout_window_lookup(const mf_layout *layout, mf_operation operation, uint64_t from,
                             mf_window *window);

/*
 * A hash of regions and heap, never 0, the same in every process. Equal layouts have equal fingerprints;
 * different ones hardly ever have, and mf_layout_equal decides.
 */
uint64_t mf_layout_fingerprint(const mf_layout *layout);

/* True if regions and heap are the same; initial bytes and names are not part of a layout. */
bool mf_layout_equal(const mf_layout *a, const mf_layout *b);

MF_PUBLIC_END

#endif
