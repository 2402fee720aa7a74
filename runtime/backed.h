/*
 * Which pages of a memory are mappings of an image's pages: until one is written, the host keeps it once for
 * all memories that have it. Sorted and disjoint; each run lies in one shared run of its image.
 *
 * Nothing here asks the host. Thread rule: as changes of the memory, and as sbrk.
 */
#ifndef MEMFOLD_RUNTIME_BACKED_H
#define MEMFOLD_RUNTIME_BACKED_H

#include "image_impl.h"
#include "pages.h"

typedef struct backed_run {
    page_run pages;
    mf_image *image; /* a reference */
} backed_run;

/* All zero: empty. */
typedef struct backed_list {
    backed_run *runs;
    size_t count;
    size_t capacity;
} backed_list;

void backed_fini(backed_list *list);

/* There is room for `more` runs. False without memory. */
bool backed_reserve(backed_list *list, size_t more);

/* The first run that ends above `page`; count if there is none. */
size_t backed_find(const backed_list *list, uint32_t page);

/* Whether any page of `run` is backed. */
bool backed_has_any(const backed_list *list, page_run run);

/* The pages, which are not backed, are backed by this image. There is room for one. */
void backed_add(backed_list *list, page_run run, const mf_image *image);

/* The pages are not backed. There is room for one. */
void backed_remove(backed_list *list, page_run run);

#endif
