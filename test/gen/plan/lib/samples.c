#include "samples.h"

#include <stdlib.h>
#include <string.h>

const sample SAMPLES[SAMPLE_COUNT] = {
    {"*", 0},
    {"", 0},
    {"r", 0},
    {"w", 0},
    {"..w", 0},
    {".rw.", 0},
    {"w.w", 0},
    {".rw..r", 0},
    {"w.w.w", 0},
    {"rwrw", 0},
    {"hhh", 0},
    {".hhh", 0},
    {"whhh", 0},
    {"rhhh", 0},
    {"w.hhh", 0},
    {"whhhw", 0},
    {"hhh.w", 0},
    {"hhhr", 0},
    {"whhhr", 0},
    {"w.hhh.w", 0},
    {"whhh.w", 0},
    {"rwhhh.r", 0},
    {"r.w.hhh", 0},
    {"w", 0xfffff},
    {"wwwwwwww", 0},
    {"wwwwwwwwwwwwwwww........rrrrrrrr", 8},
    {"wwwwwwww", 0xffff8},
    {"........hhhhhhhh", 0xffff0},
    {"wr", 0xffffe},
    {"r.w", 0xffffd},
    {"hh", 0xffffe},
    {"whh", 0xffffd},
    {"r.whh", 0xffffb},
    {"w.r.w.w", 0},
    {"r.hhh.w.r", 0},
    {"hhh.w.w.r", 1},
    {"w.r.w.hhh", 0},
    {"r.w.r.w.r", 0},
    {"r.w.r.w", 0xffff9},
    {".+", 0},
};

static void map(mf_layout_builder *builder, unsigned char *live, mf_region region) {
    memset(&live[region.start >> MF_PAGE_LOG2], (int)region.access, (size_t)(region.size >> MF_PAGE_LOG2));
    if (mf_layout_builder_map_region(builder, region.start, region.size, region.access, NULL, 0, NULL) !=
        MF_OK)
        abort();
}

void sample_build(const sample *s, mf_layout_builder *builder, unsigned char *live, uint64_t *heap_base,
                  uint32_t *heap_pages) {
    memset(live, 0, MF_PERM_TABLE_PAGES);
    *heap_pages = 0;
    for (uint64_t i = 0; s->pages[i] != '\0'; i++) {
        uint64_t start = (s->first_page + i) * MF_PAGE_SIZE;
        char kind = s->pages[i];
        if (kind == 'h') {
            *heap_base = *heap_pages == 0 ? start : *heap_base;
            *heap_pages += 1;
        } else if (kind == '*') {
            map(builder, live, (mf_region){0, MF_SPACE_BYTES, MF_READ_WRITE});
        } else if (kind == '+') {
            map(builder, live, (mf_region){start, 0xf0000000 - start, MF_READ_WRITE});
        } else if (kind != '.') {
            map(builder, live, (mf_region){start, MF_PAGE_SIZE, kind == 'w' ? MF_READ_WRITE : MF_READ_ONLY});
        }
    }
    if (*heap_pages > 0 && mf_layout_builder_set_heap(builder, *heap_base, *heap_pages, NULL) != MF_OK)
        abort();
}
