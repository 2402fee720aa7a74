#include "verify/sweep_contract.h"

#include <stdlib.h>
#include <string.h>

static uint64_t heap_limit(mf_heap heap) {
    return heap.base + (uint64_t)heap.max_pages * MF_PAGE_SIZE;
}

bool sweep_contract_init(sweep_contract *c, const mf_layout *layout, mf_policy policy) {
    uint64_t len = mf_layout_len(layout);
    *c = (sweep_contract){.heap = mf_layout_heap(layout), .policy = policy};
    c->bounds_end = c->heap.max_pages > 0 && heap_limit(c->heap) > len ? heap_limit(c->heap) : len;
    c->heap_end = c->heap.base;
    c->perms = calloc(MF_PERM_TABLE_PAGES, 1);
    if (c->perms == NULL)
        return false;
    for (size_t i = 0; i < mf_layout_region_count(layout); i++) {
        mf_region r = mf_layout_region(layout, i);
        memset(c->perms + r.start / MF_PAGE_SIZE, (int)r.access, (size_t)(r.size / MF_PAGE_SIZE));
    }
    if (policy == MF_POLICY_BOUNDS)
        memset(c->perms, MF_PERM_RW, (size_t)(c->bounds_end / MF_PAGE_SIZE));
    return true;
}

void sweep_contract_fini(sweep_contract *c) {
    free(c->perms);
    *c = (sweep_contract){0};
}

/* Under the policy bounds no page is free, and the heap's end is nothing that an access depends on. */
uint32_t sweep_contract_heap_most(const sweep_contract *c) {
    const unsigned char *first = c->perms + c->heap.base / MF_PAGE_SIZE;
    uint32_t pages = (uint32_t)((c->heap_end - c->heap.base) / MF_PAGE_SIZE);
    while (pages < c->heap.max_pages && first[pages] == MF_PERM_NONE)
        pages++;
    return pages;
}

void sweep_contract_set_heap(sweep_contract *c, uint32_t pages) {
    if (c->policy == MF_POLICY_BOUNDS)
        return;
    unsigned char *first = c->perms + c->heap.base / MF_PAGE_SIZE;
    memset(first, MF_PERM_NONE, (size_t)((c->heap_end - c->heap.base) / MF_PAGE_SIZE));
    memset(first, MF_PERM_RW, pages);
    c->heap_end = c->heap.base + (uint64_t)pages * MF_PAGE_SIZE;
}
