/* Layouts of each form, one letter a page: from page 0 on, and the same with an end at 2^32. */
#ifndef MEMFOLD_TEST_SAMPLES_H
#define MEMFOLD_TEST_SAMPLES_H

#include <memfold/layout.h>

typedef struct sample {
    /*
     * '.' none, 'r' read-only, 'w' read-write, 'h' the heap's range; '*' all pages of the space, and '+'
     * those from here to page 0xeffff, read-write.
     */
    const char *pages;
    uint64_t first_page;
} sample;

#define SAMPLE_COUNT 40
extern const sample SAMPLES[SAMPLE_COUNT];

/*
 * Maps the pages with `builder`, and writes the permissions of all pages to `live` (MF_PERM_TABLE_PAGES
 * bytes), those of the heap as it is before it grows.
 */
void sample_build(const sample *s, mf_layout_builder *builder, unsigned char *live, uint64_t *heap_base,
                  uint32_t *heap_pages);

#endif
