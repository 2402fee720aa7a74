/*
 * Permission tables: one mf_perm byte per guest page. The scans below read any of them, as a view has it; a
 * perm_table is the live one of a memory, with its operations.
 *
 * Thread rule: as a memory's (memory.h). So the entries are atomic: sbrk writes them with release order while
 * accesses read them, and an access that sees what a page is now also sees what was done to it before.
 */
#ifndef MEMFOLD_RUNTIME_PERM_TABLE_H
#define MEMFOLD_RUNTIME_PERM_TABLE_H

#include "layout_impl.h"
#include "pages.h"
#include "perm_space.h"

/* The permission of one page. */
static inline mf_perm perms_at(const unsigned char *perms, uint64_t page) {
    return (mf_perm)__atomic_load_n(perms + page, __ATOMIC_ACQUIRE);
}

/* ---- Scans, eight pages at a time ---------------------------------------------------------- */

/* The lowest page of `run` whose permission is below `least` (RO or RW); run.end if there is none. */
uint32_t perms_find_below(const unsigned char *perms, page_run run, mf_perm least);

/* The lowest page of `run` whose permission is `least` (RO or RW) or more; run.end if there is none. */
uint32_t perms_find_reaching(const unsigned char *perms, page_run run, mf_perm least);

/* Where the pages from run.first on stop having the permission of run.first; at most run.end. */
uint32_t perms_find_change(const unsigned char *perms, page_run run);

/* True if every page of `run` has `perm`. */
bool perms_all(const unsigned char *perms, page_run run, mf_perm perm);

/* The first pages of `rest`, which is not empty, with one permission; `rest` then begins behind them. */
static inline page_run perms_next_run(const unsigned char *perms, page_run *rest) {
    page_run next = {rest->first, perms_find_change(perms, *rest)};
    rest->first = next.end;
    return next;
}

/* ---- The live table ------------------------------------------------------------------------ */

/* All zero: not open. */
typedef struct perm_table {
    unsigned char *perms; /* of MF_PERM_TABLE_PAGES pages; NULL: not open */
    uint32_t len_pages;   /* end of the highest page that is not NONE: the table is zero from here on */
    uint32_t high_pages;  /* the most that len_pages has been: from here on nothing was ever written */
    perm_space space;     /* where `perms` lies */
} perm_table;

/* All pages are NONE. False without memory or address space; close is fine either way. */
bool perm_table_open(perm_table *table);
void perm_table_close(perm_table *table);

/* The end of the highest page that is not NONE, in pages; also beside perm_table_grow. */
static inline uint32_t perm_table_len_pages(const perm_table *table) {
    return __atomic_load_n(&table->len_pages, __ATOMIC_ACQUIRE);
}

/* The pages have `perm`. */
void perm_table_set(perm_table *table, page_run run, mf_perm perm);

/*
 * The pages, which are NONE, are RW: one after the other, lowest first, while others read the table. Who sees
 * that sees all that was done before the call.
 */
void perm_table_grow(perm_table *table, page_run run);

/*
 * The pages are NONE, and those from `len_pages` on are so after it. Unlike set it does not look for the end
 * of the table.
 */
void perm_table_cut(perm_table *table, page_run run, uint32_t len_pages);

/* All pages are NONE again; those of the layout are the only ones that are not. */
void perm_table_clear_layout(perm_table *table, const mf_layout *layout);

#endif
