/* Images and their chunks. */
#include "image_impl.h"
#include "os.h"

#include <string.h>

chunk *chunk_create(uint64_t start, const void *bytes, size_t count) {
    chunk *chunk = os_allocate(sizeof *chunk + count);
    if (chunk == NULL)
        return NULL;
    refs_init(&chunk->refs);
    chunk->start = start;
    chunk->count = count;
    memcpy(chunk->bytes, bytes, count);
    return chunk;
}

void chunk_release(chunk *chunk) {
    if (refs_release(&chunk->refs))
        os_free(chunk);
}

mf_image *image_create(chunk *const *chunks, size_t count) {
    mf_image *image = os_allocate(sizeof *image + count * sizeof(chunk *));
    if (image == NULL)
        return NULL;
    refs_init(&image->refs);
    image->chunk_count = count;
    for (size_t i = 0; i < count; i++) {
        uint64_t end = chunks[i]->start + chunks[i]->count;
        image->end = end > image->end ? end : image->end;
        image->chunks[i] = chunks[i];
        refs_retain(&chunks[i]->refs);
    }
    return image;
}

mf_image *mf_image_retain(const mf_image *image) {
    mf_image *shared = (mf_image *)image;
    if (shared != NULL)
        refs_retain(&shared->refs);
    return shared;
}

void mf_image_release(const mf_image *image) {
    mf_image *shared = (mf_image *)image;
    if (shared == NULL || !refs_release(&shared->refs))
        return;
    image_part *part = atomic_load(&shared->part);
    if (part != NULL)
        part->free(part);
    for (size_t i = 0; i < shared->chunk_count; i++)
        chunk_release(shared->chunks[i]);
    os_free(shared);
}
