/* Images, and the chunks that builders collect for them. */
#include "image_impl.h"
#include "os.h"

#include <string.h>

#define BLOCK_PAGES ((uint32_t)(OS_SHARED_BYTES >> MF_PAGE_LOG2))

/*
 * A shared run costs each memory that maps it up to two more mappings of the host's, so there are at most so
 * many; with more, only longer ones are shared.
 */
#define SHARED_RUNS_MAX 64

chunk *chunk_create(uint64_t start, const void *bytes, size_t count) {
    chunk *chunk = os_allocate(sizeof *chunk + count);
    if (chunk == NULL)
        return NULL;
    chunk->start = start;
    chunk->count = count;
    memcpy(chunk->bytes, bytes, count);
    return chunk;
}

/* ---- Which runs are shared ----------------------------------------------------------------- */

static page_run blocks_around(page_run run) {
    return (page_run){run.first / BLOCK_PAGES * BLOCK_PAGES,
                      (run.end + BLOCK_PAGES - 1) / BLOCK_PAGES * BLOCK_PAGES};
}

/* The blocks that runs of at least `least_pages` lie in. */
static bool collect_blocks(const run_list *pages, uint32_t least_pages, run_list *blocks) {
    blocks->count = 0;
    for (size_t i = 0; i < pages->count; i++)
        if (pages->runs[i].end - pages->runs[i].first >= least_pages &&
            !run_list_append(blocks, blocks_around(pages->runs[i])))
            return false;
    return true;
}

static bool choose_blocks(const run_list *pages, run_list *blocks) {
    uint32_t least_pages = BLOCK_PAGES;
    do {
        if (!collect_blocks(pages, least_pages, blocks))
            return false;
        least_pages *= 2;
    } while (blocks->count > SHARED_RUNS_MAX);
    return true;
}

static uint64_t bytes_of(const run_list *list) {
    uint64_t pages = 0;
    for (size_t i = 0; i < list->count; i++)
        pages += list->runs[i].end - list->runs[i].first;
    return page_bytes(pages);
}

/* What of a run lies in no block. A run that is long enough has its own, so at most the middle is left. */
static page_run outside_blocks(page_run run, const run_list *blocks) {
    for (size_t i = 0; i < blocks->count && !run_is_empty(run); i++) {
        page_run block = blocks->runs[i];
        if (block.first <= run.first && run.first < block.end)
            run.first = block.end;
        if (block.first < run.end && run.end <= block.end)
            run.end = block.first;
    }
    return run;
}

/* ---- Building ------------------------------------------------------------------------------ */

static void add_run(mf_image *image, page_run pages, bool is_shared, uint64_t *offset) {
    image->runs[image->run_count++] =
        (image_run){.pages = pages, .offset = (size_t)*offset, .is_shared = is_shared};
    *offset += page_bytes(pages.end - pages.first);
}

/* The blocks and what lies outside of them, in ascending order. The sum of the latter is `own`. */
static void lay_out(mf_image *image, const run_list *pages, const run_list *blocks, uint64_t *own) {
    uint64_t shared = 0;
    size_t next_block = 0;
    for (size_t i = 0; i <= pages->count; i++) {
        page_run rest = i < pages->count ? outside_blocks(pages->runs[i], blocks) : (page_run){0, 0};
        uint32_t before = i == pages->count ? UINT32_MAX : rest.first;
        if (i < pages->count && run_is_empty(rest))
            continue;
        while (next_block < blocks->count && blocks->runs[next_block].first < before)
            add_run(image, blocks->runs[next_block++], true, &shared);
        if (!run_is_empty(rest))
            add_run(image, rest, false, own);
    }
}

/* The bytes of runs that are shared lie in `shared`, the others in memory of the image's own. */
static void place_runs(mf_image *image, unsigned char *shared) {
    for (size_t i = 0; i < image->run_count; i++) {
        image_run *run = &image->runs[i];
        run->bytes = (run->is_shared ? shared : image->own_bytes) + run->offset;
    }
}

void image_state_release(const image_state *state) {
    mf_layout_release(state->layout);
    mf_layout_release(state->start);
}

static void destroy(mf_image *image) {
    image_part *part = atomic_load(&image->part);
    if (part != NULL)
        part->free(part);
    os_shared_destroy(image->shared);
    os_free(image->own_bytes);
    image_state_release(&image->state);
    os_free(image);
}

/* Takes the blocks if the host can share them; else they are none. */
static mf_image *allocate(const run_list *pages, run_list *blocks) {
    os_shared *shared = blocks->count > 0 ? os_shared_create((size_t)bytes_of(blocks)) : NULL;
    blocks->count = shared != NULL ? blocks->count : 0;
    size_t run_count = pages->count + blocks->count;
    mf_image *image = os_allocate(sizeof *image + run_count * sizeof(image_run));
    if (image == NULL) {
        os_shared_destroy(shared);
        return NULL;
    }
    image->shared = shared;
    return image;
}

mf_image *image_begin(const run_list *pages, image_state state) {
    run_list blocks = {0};
    uint64_t own = 0;
    mf_image *image = choose_blocks(pages, &blocks) ? allocate(pages, &blocks) : NULL;
    if (image != NULL) {
        refs_init(&image->refs);
        lay_out(image, pages, &blocks, &own);
        image->own_bytes = own > 0 ? os_allocate((size_t)own) : NULL;
        image->state = state;
        image->bytes_end = pages->count > 0 ? page_bytes(pages->runs[pages->count - 1].end) : 0;
        if (own > 0 && image->own_bytes == NULL) {
            destroy(image);
            image = NULL;
        } else {
            place_runs(image, image->shared != NULL ? os_shared_writable(image->shared) : NULL);
        }
    } else {
        image_state_release(&state);
    }
    run_list_fini(&blocks);
    return image;
}

void image_trim(mf_image *image) {
    image->bytes_end = 0;
    while (image->run_count > 0 && image->bytes_end == 0) {
        image_run *last = &image->runs[image->run_count - 1];
        uint32_t end = last->pages.end;
        while (end > last->pages.first && page_is_zero(last->bytes + page_bytes(end - 1 - last->pages.first)))
            end--;
        if (end == last->pages.first) {
            image->run_count--;
            continue;
        }
        image->bytes_end = page_bytes(end);
        last->pages.end = last->is_shared ? (end + BLOCK_PAGES - 1) / BLOCK_PAGES * BLOCK_PAGES : end;
    }
}

void image_finish(mf_image *image) {
    if (image->shared == NULL)
        return;
    os_shared_seal(image->shared);
    place_runs(image, (unsigned char *)(uintptr_t)os_shared_bytes(image->shared));
}

static void write_chunk(const mf_image *image, const chunk *chunk) {
    uint64_t at = chunk->start;
    uint64_t end = chunk->start + chunk->count;
    for (size_t i = image_find(image, (uint32_t)(at >> MF_PAGE_LOG2)); at < end; i++) {
        const image_run *run = &image->runs[i];
        uint64_t run_end = page_bytes(run->pages.end);
        size_t count = (size_t)((end < run_end ? end : run_end) - at);
        memcpy(run->bytes + (at - page_bytes(run->pages.first)), chunk->bytes + (at - chunk->start), count);
        at += count;
    }
}

static bool collect_pages(chunk *const *chunks, size_t count, run_list *pages) {
    for (size_t i = 0; i < count; i++) {
        uint64_t start = page_floor(chunks[i]->start);
        uint64_t end = page_ceil(chunks[i]->start + chunks[i]->count);
        if (!run_list_append(pages, page_run_of(start, end - start)))
            return false;
    }
    return run_list_unite(pages);
}

mf_image *image_create(chunk *const *chunks, size_t count) {
    run_list pages = {0};
    mf_image *image = collect_pages(chunks, count, &pages) ? image_begin(&pages, (image_state){0}) : NULL;
    run_list_fini(&pages);
    if (image == NULL)
        return NULL;
    for (size_t i = 0; i < count; i++)
        write_chunk(image, chunks[i]);
    image_finish(image);
    return image;
}

/* ---- Use ----------------------------------------------------------------------------------- */

size_t image_find(const mf_image *image, uint32_t page) {
    size_t low = 0;
    size_t high = image->run_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (image->runs[middle].pages.end > page)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

uint64_t image_end(const mf_image *image) {
    return image != NULL && image->run_count > 0 ? page_bytes(image->runs[image->run_count - 1].pages.end)
                                                 : 0;
}

uint64_t image_bytes_end(const mf_image *image) {
    return image != NULL ? image->bytes_end : 0;
}

static void set_bytes(unsigned char *to, const unsigned char *from, size_t bytes, bool compares) {
    for (size_t done = 0; done < bytes; done += compares ? MF_PAGE_SIZE : bytes) {
        size_t count = compares ? MF_PAGE_SIZE : bytes;
        if (!compares || memcmp(to + done, from + done, count) != 0)
            memcpy(to + done, from + done, count);
    }
}

static void set_zero(unsigned char *to, size_t bytes, bool compares) {
    if (compares)
        os_overwrite(to, bytes);
    else
        memset(to, 0, bytes);
}

void image_restore(const mf_image *image, unsigned char *base, page_run pages, bool compares) {
    size_t next = image != NULL ? image_find(image, pages.first) : 0;
    size_t count = image != NULL ? image->run_count : 0;
    while (pages.first < pages.end) {
        page_run run = next < count ? image->runs[next].pages : (page_run){pages.end, pages.end};
        bool is_inside = run.first <= pages.first && next < count;
        uint32_t limit = is_inside ? run.end : run.first;
        uint32_t end = limit < pages.end ? limit : pages.end;
        unsigned char *to = base + page_bytes(pages.first);
        size_t bytes = page_bytes(end - pages.first);
        if (is_inside)
            set_bytes(to, image->runs[next].bytes + page_bytes(pages.first - run.first), bytes, compares);
        else
            set_zero(to, bytes, compares);
        next += is_inside;
        pages.first = end;
    }
}

mf_image *mf_image_retain(const mf_image *image) {
    mf_image *shared = (mf_image *)image;
    if (shared != NULL)
        refs_retain(&shared->refs);
    return shared;
}

void mf_image_release(const mf_image *image) {
    mf_image *shared = (mf_image *)image;
    if (shared != NULL && refs_release(&shared->refs))
        destroy(shared);
}
