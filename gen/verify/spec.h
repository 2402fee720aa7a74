/*
 * The contract of one access, from the layout's pages alone: which bytes may be touched, what a load gives,
 * what a store writes, where a mask leads. It knows no plan, and nothing of how code is made.
 *
 * An access touches i, ..., i + w - 1, not reduced, w <= 64. These bytes lie in the page of the first and the
 * page of the last of them, and a page is accessible as a whole; so the access is allowed exactly if its
 * first and its last byte are accessible.
 */
#ifndef MEMFOLD_GEN_VERIFY_SPEC_H
#define MEMFOLD_GEN_VERIFY_SPEC_H

#include "verify/term.h"

#include <memfold/accessors.h>
#include <memfold/layout.h>
#include <memfold/options.h>

/* What is asked of the guest, by an accessor or in a client's code. */
typedef struct spec_access {
    mf_operation operation;
    uint32_t width_bytes; /* 1 to 64 */
    uint32_t value_bits; /* 8 * width_bytes, or up to 7 less: those above are stored as 0 and not looked at */
    bool sign_extends;   /* of a load of up to 8 bytes */
} spec_access;

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
bool spec_allows(const spec *s, const spec_access *access, uint64_t index, uint64_t heap_end);

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

/*
 * Whether all of [index, index + length) is accessible; all of 64 bits, and the end not reduced. An empty
 * range is, or with MF_EMPTY_WITHIN only up to the end of the highest page that is.
 */
term spec_range_accessible(const spec *s, terms *t, mf_operation operation, term index, term length,
                           term heap_end);
term spec_empty_accessible(const spec *s, terms *t, mf_operation operation, term index, term heap_end);

/* Whether heap_end has a value that a view may have: a page's start, from the heap's base to the end of
 * growth. */
term spec_heap_end_is_possible(const spec *s, terms *t, term heap_end);

/* The value of a load of up to 8 bytes whose bytes are `raw`, the first one lowest: 64 bits. */
term spec_loaded(const spec *s, terms *t, const spec_access *access, term raw);

/* The bytes that a store of `value` (64 bits) writes, the first one lowest. */
term spec_stored(const spec *s, terms *t, const spec_access *access, term value);

/* Of any width: where in the guest byte n of the value lies, counted from the access's first; and what is
 * left of `byte` as byte n of the value. */
uint32_t spec_place_of_byte(const spec *s, const spec_access *access, uint32_t n);
term spec_value_byte(terms *t, const spec_access *access, uint32_t n, term byte);

#endif
