/*
 * Images: the bytes that memories begin with, as runs of pages. Long runs are kept so that memories can map
 * them (os.h): they are widened to blocks that every host can map. What is in no run is zero.
 */
#ifndef MEMFOLD_RUNTIME_IMAGE_IMPL_H
#define MEMFOLD_RUNTIME_IMAGE_IMPL_H

#include <memfold/layout.h>

#include "os.h"
#include "pages.h"
#include "refs.h"
#include "runs.h"

/* What a builder has been given: immutable, and a later one overwrites an earlier one. */
typedef struct chunk {
    uint64_t start;
    size_t count;
    unsigned char bytes[];
} chunk;

typedef struct image_run {
    page_run pages;
    unsigned char *bytes; /* not written after the image is finished */
    size_t offset;        /* in image->shared */
    bool is_shared;       /* memories can map it */
} image_run;

/*
 * The state of a memory that was frozen, for those that begin with it. Without layout: the image is of a
 * builder, and has bytes only.
 */
typedef struct image_state {
    mf_layout *layout; /* what the memory's layout was */
    mf_layout *start;  /* the permission of every page, those of the heap included */
    mf_heap heap;
    uint64_t heap_top;
} image_state;

/* What a backend keeps with an image; freed with it. */
typedef struct image_part {
    void (*free)(struct image_part *part);
} image_part;

struct mf_image {
    refs refs;
    _Atomic(image_part *) part; /* NULL: nothing */
    image_state state;
    os_shared *shared;        /* NULL: no run is shared */
    unsigned char *own_bytes; /* of the other runs */
    uint64_t bytes_end;       /* of what was given, in whole pages; blocks may reach beyond */
    size_t run_count;
    image_run runs[]; /* sorted; none is empty */
};

/* A chunk with a copy of `bytes`, or NULL. */
chunk *chunk_create(uint64_t start, const void *bytes, size_t count);

/* An image with the bytes of `chunks`, or NULL. The caller owns one reference. */
mf_image *image_create(chunk *const *chunks, size_t count);

/*
 * An image of `pages`, which are united, all zero: its bytes are written before it is finished, which cannot
 * fail. Takes the references in `state`, also on failure. NULL without memory.
 */
mf_image *image_begin(const run_list *pages, image_state state);
void image_finish(mf_image *image);

/*
 * Before it is finished, and for those whose pages were blocks already: pages of zeros at the end, whole runs
 * too, are not the image's any more, but the last block with bytes stays whole. So what begins with the image
 * has room for whole blocks.
 */
void image_trim(mf_image *image);

void image_state_release(const image_state *state);

/* The first run that ends above `page`; run_count if there is none. */
size_t image_find(const mf_image *image, uint32_t page);

/* The end of the highest run, in bytes. NULL is an image without bytes, here and below. */
uint64_t image_end(const mf_image *image);

/* The end of the highest page that has a byte. */
uint64_t image_bytes_end(const mf_image *image);

/*
 * The pages, at their place above `base`, have the image's bytes. Where they may have them already
 * (`compares`) pages are read first, so that none is written for nothing.
 */
void image_restore(const mf_image *image, unsigned char *base, page_run pages, bool compares);

#endif
