/*
 * The builder: a sorted list of boundaries, each the page where a permission begins that lasts until the
 * next one. Neighbours differ, so the list is canonical at any time; what lies before the first boundary
 * is NONE, and the last boundary begins a NONE.
 */
#include "image_impl.h"
#include "layout_impl.h"
#include "os.h"
#include "runs.h"

#include <string.h>

/* A boundary packed as page << 2 | perm, so that sorting by page is sorting the words. */
typedef uint32_t boundary;

#define PERM_BITS 2

struct mf_layout_builder {
    mf_heap heap;
    boundary *boundaries;
    size_t boundary_count;
    size_t boundary_capacity;
    chunk **chunks;
    size_t chunk_count;
    size_t chunk_capacity;
};

static boundary boundary_of(uint32_t page, mf_perm perm) {
    return page << PERM_BITS | (uint32_t)perm;
}

static uint32_t boundary_page(boundary b) {
    return b >> PERM_BITS;
}

static mf_perm boundary_perm(boundary b) {
    return (mf_perm)(b & ((1u << PERM_BITS) - 1));
}

static mf_status out_of_memory(mf_diag *diag) {
    return mf_diag_set(diag, MF_OUT_OF_MEMORY, 0, "no host memory for a layout");
}

mf_layout_builder *mf_layout_builder_create(void) {
    return os_allocate(sizeof(mf_layout_builder));
}

void mf_layout_builder_destroy(mf_layout_builder *builder) {
    if (builder == NULL)
        return;
    for (size_t i = 0; i < builder->chunk_count; i++)
        os_free(builder->chunks[i]);
    os_free(builder->chunks);
    os_free(builder->boundaries);
    os_free(builder);
}

/* Moves a full list into twice the room. Returns NULL, and keeps the old list, if there is no memory. */
static void *grow(void *list, size_t item_bytes, size_t *capacity) {
    size_t bigger_capacity = *capacity * 2 + 16;
    void *bigger = os_allocate(bigger_capacity * item_bytes);
    if (bigger == NULL)
        return NULL;
    if (list != NULL) {
        memcpy(bigger, list, *capacity * item_bytes);
        os_free(list);
    }
    *capacity = bigger_capacity;
    return bigger;
}

/* Makes room for what so many splices may add, two boundaries each. */
static bool reserve_boundaries(mf_layout_builder *builder, size_t splices) {
    while (builder->boundary_count + 2 * splices > builder->boundary_capacity) {
        boundary *bigger = grow(builder->boundaries, sizeof(boundary), &builder->boundary_capacity);
        if (bigger == NULL)
            return false;
        builder->boundaries = bigger;
    }
    return true;
}

/* Appends a chunk, if there are bytes. False if there is no memory. */
static bool add_bytes(mf_layout_builder *builder, uint64_t start, const void *bytes, size_t count) {
    if (count == 0)
        return true;
    if (builder->chunk_count == builder->chunk_capacity) {
        chunk **bigger = grow(builder->chunks, sizeof(chunk *), &builder->chunk_capacity);
        if (bigger == NULL)
            return false;
        builder->chunks = bigger;
    }
    chunk *chunk = chunk_create(start, bytes, count);
    if (chunk == NULL)
        return false;
    builder->chunks[builder->chunk_count++] = chunk;
    return true;
}

/* How many boundaries lie before `page`. Regions mostly come in ascending order: look at the end first. */
static size_t count_before(const mf_layout_builder *builder, uint32_t page) {
    size_t low = 0;
    size_t high = builder->boundary_count;
    if (high > 0 && boundary_page(builder->boundaries[high - 1]) < page)
        return high;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (boundary_page(builder->boundaries[middle]) < page)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The permission in force after the first `count` boundaries. */
static mf_perm perm_after(const mf_layout_builder *builder, size_t count) {
    return count > 0 ? boundary_perm(builder->boundaries[count - 1]) : MF_PERM_NONE;
}

/*
 * Every boundary in [run.first, run.end] goes. A new one begins the run unless the page before has the
 * same permission, and one restores at run.end what was in force there, unless that is the same.
 */
static void splice(mf_layout_builder *builder, page_run run, mf_perm perm) {
    size_t low = count_before(builder, run.first);
    size_t high = count_before(builder, run.end + 1);
    mf_perm behind = perm_after(builder, high);
    boundary fresh[2];
    size_t fresh_count = 0;
    if (perm_after(builder, low) != perm)
        fresh[fresh_count++] = boundary_of(run.first, perm);
    if (behind != perm)
        fresh[fresh_count++] = boundary_of(run.end, behind);
    boundary *at = builder->boundaries + low;
    memmove(at + fresh_count, builder->boundaries + high, (builder->boundary_count - high) * sizeof *at);
    memcpy(at, fresh, fresh_count * sizeof *at);
    builder->boundary_count = builder->boundary_count - (high - low) + fresh_count;
}

mf_status mf_layout_builder_map_region(mf_layout_builder *builder, uint64_t start, uint64_t size,
                                       mf_access access, const void *init, size_t init_bytes, mf_diag *diag) {
    mf_status status = access_check(access, diag);
    if (status == MF_OK)
        status = page_range_check(start, size, diag);
    if (status != MF_OK || size == 0)
        return status;
    size_t count = init == NULL ? 0 : init_bytes < size ? init_bytes : (size_t)size;
    if (!reserve_boundaries(builder, 1) || !add_bytes(builder, start, init, count))
        return out_of_memory(diag);
    splice(builder, page_run_of(start, size), (mf_perm)access);
    return MF_OK;
}

mf_status mf_layout_builder_set_bytes(mf_layout_builder *builder, uint64_t start, const void *bytes,
                                      size_t count, mf_diag *diag) {
    mf_status status = space_range_check(start, count, diag);
    if (status == MF_OK && !add_bytes(builder, start, bytes, count))
        status = out_of_memory(diag);
    return status;
}

/* A base of 2^32 is refused with the ranges that pass it: mf_heap cannot hold it. */
mf_status mf_layout_builder_set_heap(mf_layout_builder *builder, uint64_t base, uint64_t max_pages,
                                     mf_diag *diag) {
    uint64_t bytes = max_pages > UINT64_MAX >> MF_PAGE_LOG2 ? UINT64_MAX & ~(uint64_t)(MF_PAGE_SIZE - 1)
                                                            : page_bytes(max_pages);
    mf_status status = page_range_check(base, bytes, diag);
    if (status != MF_OK)
        return status;
    if (base == MF_SPACE_BYTES)
        return mf_diag_set(diag, MF_OVERFLOW, base, "the heap begins at 2^32");
    builder->heap = (mf_heap){(uint32_t)base, (uint32_t)max_pages};
    return MF_OK;
}

/* Appends the image's bytes in these pages. */
static bool add_image(mf_layout_builder *builder, const mf_image *image, page_run pages) {
    for (size_t i = image_find(image, pages.first); i < image->run_count; i++) {
        const image_run *run = &image->runs[i];
        page_run part = run_common(run->pages, pages);
        if (run_is_empty(part))
            break;
        const unsigned char *bytes = run->bytes + page_bytes(part.first - run->pages.first);
        if (!add_bytes(builder, page_bytes(part.first), bytes, (size_t)page_bytes(part.end - part.first)))
            return false;
    }
    return true;
}

static void drop_bytes(mf_layout_builder *builder, size_t kept) {
    while (builder->chunk_count > kept)
        os_free(builder->chunks[--builder->chunk_count]);
}

mf_status mf_layout_builder_add(mf_layout_builder *builder, const mf_layout *layout, const mf_image *image,
                                mf_diag *diag) {
    size_t kept = builder->chunk_count;
    bool is_done = reserve_boundaries(builder, layout->run_count);
    for (size_t i = 0; is_done && image != NULL && i < layout->run_count; i++)
        is_done = add_image(builder, image, (page_run){layout->runs[i].first, layout->runs[i].end});
    if (!is_done) {
        drop_bytes(builder, kept);
        return out_of_memory(diag);
    }
    for (size_t i = 0; i < layout->run_count; i++)
        splice(builder, (page_run){layout->runs[i].first, layout->runs[i].end},
               (mf_perm)layout->runs[i].perm);
    if (layout->heap.base != 0 || layout->heap.max_pages != 0)
        builder->heap = layout->heap;
    return MF_OK;
}

mf_perm mf_layout_builder_perm_of(const mf_layout_builder *builder, uint32_t address) {
    return perm_after(builder, count_before(builder, (address >> MF_PAGE_LOG2) + 1));
}

static mf_layout *finish_layout(const mf_layout_builder *builder) {
    size_t run_count = 0;
    for (size_t i = 0; i < builder->boundary_count; i++)
        run_count += boundary_perm(builder->boundaries[i]) != MF_PERM_NONE;
    mf_layout *layout = layout_begin(run_count);
    if (layout == NULL)
        return NULL;
    layout_run *run = layout->runs;
    for (size_t i = 0; i < builder->boundary_count; i++) {
        const boundary *b = &builder->boundaries[i];
        if (boundary_perm(b[0]) != MF_PERM_NONE)
            *run++ = (layout_run){boundary_page(b[0]), boundary_page(b[1]), (uint32_t)boundary_perm(b[0])};
    }
    layout_seal(layout, builder->heap);
    return layout;
}

mf_status mf_layout_builder_finish(const mf_layout_builder *builder, mf_layout **layout, mf_image **image,
                                   mf_diag *diag) {
    mf_layout *new_layout = finish_layout(builder);
    mf_image *new_image = image != NULL ? image_create(builder->chunks, builder->chunk_count) : NULL;
    if (new_layout == NULL || (image != NULL && new_image == NULL)) {
        mf_layout_release(new_layout);
        mf_image_release(new_image);
        return out_of_memory(diag);
    }
    *layout = new_layout;
    if (image != NULL)
        *image = new_image;
    return MF_OK;
}
