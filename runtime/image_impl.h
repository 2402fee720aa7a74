/* Images: chunks of bytes in the order they were given. A later chunk overwrites an earlier one. */
#ifndef MEMFOLD_RUNTIME_IMAGE_IMPL_H
#define MEMFOLD_RUNTIME_IMAGE_IMPL_H

#include <memfold/layout.h>

#include "refs.h"

/* Immutable; shared by a builder and the images it has finished. */
typedef struct mf_chunk {
    mf_refs refs;
    uint64_t start;
    size_t count;
    unsigned char bytes[];
} mf_chunk;

struct mf_image {
    mf_refs refs;
    uint64_t end; /* the end of the highest byte given, 0 if there is none */
    size_t chunk_count;
    mf_chunk *chunks[];
};

/* A chunk with a copy of `bytes`, or NULL. The caller owns one reference. */
mf_chunk *mf_chunk_create(uint64_t start, const void *bytes, size_t count);
void mf_chunk_release(mf_chunk *chunk);

/* An image that shares `chunks`, or NULL. The caller owns one reference. */
mf_image *mf_image_create(mf_chunk *const *chunks, size_t count);

#endif
