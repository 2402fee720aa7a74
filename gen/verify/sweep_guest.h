/*
 * The guest whose bytes the sweep knows: each accessible byte that is looked at has a value that its index
 * says. Pages get their bytes when they are needed and are given back together.
 */
#ifndef MEMFOLD_GEN_VERIFY_SWEEP_GUEST_H
#define MEMFOLD_GEN_VERIFY_SWEEP_GUEST_H

#include "verify/sweep_contract.h"

#include <memfold/memory.h>
#include <memfold/status.h>

/* So many pages have bytes at most. */
#define SWEEP_PAGES_MAX 4096

/* The bytes before and behind an access that are looked at, with the access's in the middle. */
#define SWEEP_AROUND 8
#define SWEEP_SEEN_BYTES (2 * SWEEP_AROUND + 8)

typedef struct sweep_guest {
    mf_memory *memory;
    mf_view *view;
    mf_view attached; /* what its fields are since the last reset */
    const sweep_contract *contract;
    mf_backend backend;
    uint32_t heap_pages;
    uint32_t page_count;
    uint32_t pages[SWEEP_PAGES_MAX];
    unsigned char *is_filled; /* a byte for each page of the space */
} sweep_guest;

bool sweep_guest_init(sweep_guest *g, mf_memory *memory, const sweep_contract *contract);
void sweep_guest_fini(sweep_guest *g);

/* The byte that is at an accessible index. Neighbours differ, and so do pages. */
static inline unsigned char sweep_guest_byte(uint64_t index) {
    return (unsigned char)((index + 1) * UINT64_C(0x9e3779b97f4a7c15) >> 56);
}

/* No page has bytes, and the heap has so many pages. */
mf_status sweep_guest_reset(sweep_guest *g, uint32_t heap_pages, mf_diag *diag);

/* There is room for so many pages more. */
bool sweep_guest_has_room(const sweep_guest *g, uint32_t pages);

/* The accessible pages from that of `first` to that of `last` have their bytes. */
mf_status sweep_guest_fill(sweep_guest *g, uint64_t first, uint64_t last, mf_diag *diag);

/* Whether the host can read the byte. */
bool sweep_guest_is_readable(const sweep_guest *g, uint64_t index);

/* False if some byte of the pages is not what it was, and writes its index. */
bool sweep_guest_is_unchanged(const sweep_guest *g, uint64_t *index);

#endif
