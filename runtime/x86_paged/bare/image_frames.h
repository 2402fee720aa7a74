/*
 * The bytes of an image in a kernel: page by page, and in frames that memories share.
 *
 * Thread rule: any thread; an image is immutable.
 */
#ifndef MEMFOLD_RUNTIME_X86_PAGED_BARE_IMAGE_FRAMES_H
#define MEMFOLD_RUNTIME_X86_PAGED_BARE_IMAGE_FRAMES_H

#include "image_impl.h"
#include "pages.h"

/* The next pages from `page` on that hold bytes of the image, ascending. False if there are none; NULL has
 * none. */
bool image_next_pages(const mf_image *image, uint32_t page, page_run *pages);

/* Writes the 4096 bytes that the image gives the page. */
void image_fill_page(const mf_image *image, uint32_t page, unsigned char *bytes);

/*
 * All pages that hold bytes have frames with them: taken at the first call, and given back with the image's
 * last reference. False if frames or memory run out, and then nothing has changed.
 */
bool image_frames_make(mf_image *image);

/* The frame of the page, or NO_FRAME if it has no bytes; after image_frames_make. */
uint64_t image_frames_find(const mf_image *image, uint32_t page);

#endif
