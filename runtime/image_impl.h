/* Images: chunks of bytes in the order they were given. A later chunk overwrites an earlier one. */
#ifndef MEMFOLD_RUNTIME_IMAGE_IMPL_H
#define MEMFOLD_RUNTIME_IMAGE_IMPL_H

#include <memfold/layout.h>

#include "refs.h"

#include <stdatomic.h>

/* Immutable; shared by a builder and the images it has finished. */
typedef struct chunk {
    refs refs;
    uint64_t start;
    size_t count;
    unsigned char bytes[];
} chunk;

/* What a backend keeps with an image; freed with it. */
typedef struct image_part {
    void (*free)(struct image_part *part);
} image_part;

struct mf_image {
    refs refs;
    uint64_t end; /* the end of the highest byte given, 0 if there is none */
    _Atomic(image_part *) part;
    size_t chunk_count;
    chunk *chunks[];
};

/* A chunk with a copy of `bytes`, or NULL. The caller owns one reference. */
chunk *chunk_create(uint64_t start, const void *bytes, size_t count);
void chunk_release(chunk *chunk);

/* An image that shares `chunks`, or NULL. The caller owns one reference. */
mf_image *image_create(chunk *const *chunks, size_t count);

#endif
