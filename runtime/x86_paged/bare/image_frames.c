/* Frames of images. */
#include "x86_paged/bare/image_frames.h"
#include "os.h"
#include "x86_paged/bare/host.h"
#include "x86_paged/bare/tables.h"

#include <string.h>

typedef struct image_frames {
    image_part part;
    size_t count;
    uint64_t frames[]; /* of the pages of all runs, in order */
} image_frames;

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
        host->give_frame(host->context, made->frames[i]);
    os_free(made);
}

static bool append(image_frames *made, const mf_image *image, uint32_t page) {
    const mf_bare_host *host = bare_host_get();
    uint64_t frame = host->take_frame(host->context);
    if (frame == NO_FRAME)
        return false;
    image_fill_page(image, page, host->direct_map + frame);
    made->frames[made->count++] = frame;
    return true;
}

static image_frames *make(const mf_image *image) {
    image_frames *made = os_allocate(sizeof *made + count_pages(image) * sizeof(uint64_t));
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
bool image_frames_make(mf_image *image) {
    image_part *there = atomic_load(&image->part);
    image_frames *made = there == NULL ? make(image) : NULL;
    if (made != NULL && !atomic_compare_exchange_strong(&image->part, &there, &made->part))
        give_all(&made->part);
    return made != NULL || there != NULL;
}

/* No run is shared by mappings here (host.c), so all lie in one piece of memory, as their frames do in the
 * list. */
uint64_t image_frames_find(const mf_image *image, uint32_t page) {
    const image_frames *made = (const image_frames *)atomic_load(&image->part);
    size_t at = image_find(image, page);
    if (at == image->run_count || page < image->runs[at].pages.first)
        return NO_FRAME;
    const image_run *run = &image->runs[at];
    return made->frames[(run->offset >> MF_PAGE_LOG2) + (page - run->pages.first)];
}
