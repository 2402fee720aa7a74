/*
 * How an operation's windows spread over the space: the granule, and how much of a table they meet.
 *
 * Granules: the space cut into pieces of equal size, a power of two, so that each is accessible as a whole or
 * not at all. Constant tables and bitmaps have one entry for each.
 */
#ifndef MEMFOLD_GEN_PLAN_SPREAD_H
#define MEMFOLD_GEN_PLAN_SPREAD_H

#include <memfold/layout.h>

/* The windows with the heap at its maximum. */
typedef struct plan_spread {
    uint32_t granule_log2; /* the largest exact granule, at most 2^26 bytes */
    uint32_t perm_lines;   /* 64-byte lines of the live permission table that have accessible entries */
    uint32_t perm_pages;   /* host pages of it */
    uint32_t table_lines;  /* of a granule table */
    uint32_t bitmap_lines; /* of a granule bitmap */
    mf_window hull;        /* from the first byte of the lowest window to the last of the highest */
    uint64_t bits;         /* of the granules of the hull, the lowest first; 0 if they are more than 64 */
} plan_spread;

plan_spread plan_spread_make(const mf_layout *layout, mf_operation operation);

#endif
