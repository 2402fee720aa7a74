#include "jit/cache.h"

#include "plan/set.h"

#include <search.h>
#include <string.h>

/* ---- A total order of keys: fingerprint first, content only where fingerprints collide ---- */

static int compare_regions(mf_region a, mf_region b) {
    int order = plan_compare_u64(a.start, b.start);
    if (order == 0)
        order = plan_compare_u64(a.size, b.size);
    return order != 0 ? order : plan_compare_u64(a.access, b.access);
}

static int compare_layout_content(const mf_layout *a, const mf_layout *b) {
    size_t count = mf_layout_region_count(a);
    int order = plan_compare_u64(count, mf_layout_region_count(b));
    for (size_t i = 0; order == 0 && i < count; i++)
        order = compare_regions(mf_layout_region(a, i), mf_layout_region(b, i));
    mf_heap heap_a = mf_layout_heap(a);
    mf_heap heap_b = mf_layout_heap(b);
    if (order == 0)
        order = plan_compare_u64(heap_a.base, heap_b.base);
    return order != 0 ? order : plan_compare_u64(heap_a.max_pages, heap_b.max_pages);
}

static int compare_layouts(const mf_layout *a, const mf_layout *b) {
    if (a == b)
        return 0;
    int order = plan_compare_u64(mf_layout_fingerprint(a), mf_layout_fingerprint(b));
    return order != 0 ? order : compare_layout_content(a, b);
}

static int compare_codes(const void *a, const void *b) {
    const mf_code *code_a = a;
    const mf_code *code_b = b;
    int order = compare_layouts(code_a->layout, code_b->layout);
    return order != 0 ? order : plan_compare_options(&code_a->options, &code_b->options);
}

/* ---- The tree ---- */

mf_code *cache_lookup(const cache *c, const mf_layout *layout, const mf_accessor_options *options) {
    mf_code key = {.layout = mf_layout_retain(layout), .options = *options};
    void *found = tfind(&key, &c->root, compare_codes);
    mf_layout_release(layout);
    return found == NULL ? NULL : *(mf_code **)found;
}

bool cache_insert(cache *c, mf_code *code) {
    return tsearch(code, &c->root, compare_codes) != NULL;
}

void cache_remove(cache *c, const mf_code *code) {
    tdelete(code, &c->root, compare_codes);
}
