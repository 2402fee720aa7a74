/* Frames of images. */
#include "x86_paged/bare/image_frames.h"
#include "os.h"
#include "x86_paged/bare/host.h"
#include "x86_paged/bare/tables.h"

#include <string.h>

typedef struct image_frame {
    uint64_t frame;
    uint32_t page;
} image_frame;

struct image_frames {
    image_part part;
    size_t count;
    image_frame frames[]; /* by page */
};

bool image_next_pages(const mf_image *image, uint32_t page, page_run *pages) {
    size_t at = image != NULL ? image_find(image, page) : 0;
    *pages = (page_run){0, 0};
    if (image == NULL || at == image->run_count)
        return false;
    *pages = image->runs[at].pages;
    pages->first = pages->first > page ? pages->first : page;
    return true;
}

void image_fill_page(const mf_image *image, uint32_t page, unsigned char *bytes) {
    page_run pages;
    if (image_next_pages(image, page, &pages) && pages.first == page) {
        const image_run *run = &image->runs[image_find(image, page)];
        memcpy(bytes, run->bytes + page_bytes(page - run->pages.first), MF_PAGE_SIZE);
    } else {
        memset(bytes, 0, MF_PAGE_SIZE);
    }
}

static size_t count_pages(const mf_image *image) {
    size_t count = 0;
    page_run run;
    for (uint32_t page = 0; image_next_pages(image, page, &run); page = run.end)
        count += run.end - run.first;
    return count;
}

static void give_all(image_part *part) {
    const mf_bare_host *host = bare_host_get();
    image_frames *made = (image_frames *)part;
    for (size_t i = 0; i < made->count; i++)
        host->give_frame(host->context, made->frames[i].frame);
    os_free(made);
}

static bool append(image_frames *made, const mf_image *image, uint32_t page) {
    const mf_bare_host *host = bare_host_get();
    uint64_t frame = host->take_frame(host->context);
    if (frame == NO_FRAME)
        return false;
    image_fill_page(image, page, host->direct_map + frame);
    made->frames[made->count++] = (image_frame){frame, page};
    return true;
}

static image_frames *make(const mf_image *image) {
    image_frames *made = os_allocate(sizeof *made + count_pages(image) * sizeof(image_frame));
    page_run run;
    if (made == NULL)
        return NULL;
    made->part.free = give_all;
    for (uint32_t page = 0; image_next_pages(image, page, &run); page = run.end)
        for (uint32_t at = run.first; at < run.end; at++)
            if (!append(made, image, at)) {
                give_all(&made->part);
                return NULL;
            }
    return made;
}

/* Two CPUs may make them at once; then those that are there first stay. */
const image_frames *image_frames_get(mf_image *image) {
    image_part *there = atomic_load(&image->part);
    if (there != NULL)
        return (image_frames *)there;
    image_frames *made = make(image);
    if (made == NULL || atomic_compare_exchange_strong(&image->part, &there, &made->part))
        return made;
    give_all(&made->part);
    return (image_frames *)there;
}

uint64_t image_frames_find(const image_frames *frames, uint32_t page) {
    size_t low = 0;
    size_t high = frames != NULL ? frames->count : 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (frames->frames[middle].page == page)
            return frames->frames[middle].frame;
        if (frames->frames[middle].page < page)
            low = middle + 1;
        else
            high = middle;
    }
    return NO_FRAME;
}
