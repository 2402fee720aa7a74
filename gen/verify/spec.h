/*
 * The contract of one access, from the layout's pages alone: which bytes may be touched, what a load gives,
 * what a store writes, where a mask leads. It knows no plan, and nothing of how code is made.
 *
 * An access touches i, ..., i + w - 1, not reduced, w <= 8. These bytes lie in the page of the first and the
 * page of the last of them, and a page is accessible as a whole; so the access is allowed exactly if its
 * first and its last byte are accessible.
 */
#ifndef MEMFOLD_GEN_VERIFY_SPEC_H
#define MEMFOLD_GEN_VERIFY_SPEC_H

#include "verify/term.h"

#include <memfold/accessors.h>
#include <memfold/layout.h>
#include <memfold/options.h>

/* What the contract says of one layout under one set of options. */
typedef struct spec {
    const mf_layout *layout;
    mf_accessor_options options;
    uint64_t growth_start; /* where the heap begins, and as far as sbrk lets it grow */
    uint64_t growth_end;
    uint64_t bounds; /* the end of the accessible space under the policy bounds */
    uint64_t stamp;  /* of the layout and the backend */
} spec;

/* `layout` may be NULL: any layout, of which only the live permission table and the MMU know. */
spec spec_make(const mf_layout *layout, const mf_accessor_options *options);

/* ---- On numbers ---- */

/* True if the pages permit it when the heap ends at `heap_end`. */
bool spec_allows(const spec *s, const mf_accessor_info *info, uint64_t index, uint64_t heap_end);

/* True if the page of `index` permits the operation when the heap is full. */
bool spec_page_permits(const spec *s, mf_operation operation, uint64_t index);

/* Writes 1 for each of the MF_SPACE_PAGES pages that permit the operation when the heap is full, else 0. */
void spec_fill_pages(const spec *s, mf_operation operation, uint8_t *pages);

/* Its permission in the live table. */
mf_perm spec_live_perm(const spec *s, uint64_t page, uint64_t heap_end);

/*
 * Where an access goes that fails its check and happens all the same, because the check was predicted
 * wrongly: to the start of the first window, or to 0 where the check looks up memory.
 */
uint64_t spec_masked_place(const spec *s, mf_operation operation, bool looks_up);

/* The pages of `address`, if the operation may touch it when the heap is full: a maximal run of regions and
 * heap. False if not. */
bool spec_window(const spec *s, mf_operation operation, uint64_t address, mf_window *window);

/* ---- On terms ---- */

/* Whether the byte at `index` (64 bits) is accessible; `heap_end` has 64 bits, the result one. */
term spec_accessible(const spec *s, terms *t, mf_operation operation, term index, term heap_end);

/* Whether heap_end has a value that a view may have: a page's start, from the heap's base to the end of
 * growth. */
term spec_heap_end_is_possible(const spec *s, terms *t, term heap_end);

/* The value of a load whose bytes are `raw`, the first one lowest: 64 bits. */
term spec_loaded(const spec *s, terms *t, const mf_accessor_info *info, term raw);

/* The bytes that a store of `value` (64 bits) writes, the first one lowest. */
term spec_stored(const spec *s, terms *t, const mf_accessor_info *info, term value);

#endif
