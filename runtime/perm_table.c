/* The live permission table, and scans of such tables eight pages at a time. */
#include "perm_table.h"
#include "os.h"

#include <string.h>

#define WORD_PAGES 8
#define EVERY_BYTE UINT64_C(0x0101010101010101)

/*
 * A table that reaches no further is cheaper to overwrite than to give back to the host and fault in again.
 */
#define SHORT_TABLE_PAGES (64 * 1024)

/* ---- Scans --------------------------------------------------------------------------------- */

static uint64_t word_at(const unsigned char *perms, uint32_t page) {
    uint64_t word;
    memcpy(&word, perms + page, sizeof word);
    return word;
}

/*
 * Permissions are 0, 1 or 2, so bit 0 of (p >> 1) is set only for RW, and bit 0 of (p | p >> 1) for RO and
 * RW. What the shift brings in from the next byte lands in bit 7 and is masked.
 */
static bool word_reaches(uint64_t word, mf_perm least) {
    uint64_t granted = least == MF_PERM_RW ? word >> 1 : word | word >> 1;
    return (granted & EVERY_BYTE) == EVERY_BYTE;
}

uint32_t perms_find_below(const unsigned char *perms, page_run run, mf_perm least) {
    uint32_t page = run.first;
    while (run.end - page >= WORD_PAGES && word_reaches(word_at(perms, page), least))
        page += WORD_PAGES;
    while (page < run.end && perms[page] >= least)
        page++;
    return page;
}

uint32_t perms_find_change(const unsigned char *perms, page_run run) {
    uint32_t page = run.first;
    const unsigned char perm = perms[page];
    while (run.end - page >= WORD_PAGES && word_at(perms, page) == perm * EVERY_BYTE)
        page += WORD_PAGES;
    while (page < run.end && perms[page] == perm)
        page++;
    return page;
}

bool perms_all(const unsigned char *perms, page_run run, mf_perm perm) {
    return run.first == run.end || (perms[run.first] == perm && perms_find_change(perms, run) == run.end);
}

/* The end of the highest page below `end` that is not NONE, 0 if there is none. */
static uint32_t find_top(const unsigned char *perms, uint32_t end) {
    uint32_t top = end;
    while (top >= WORD_PAGES && word_at(perms, top - WORD_PAGES) == 0)
        top -= WORD_PAGES;
    while (top > 0 && perms[top - 1] == MF_PERM_NONE)
        top--;
    return top;
}

/* ---- The live table ------------------------------------------------------------------------ */

bool perm_table_open(perm_table *table) {
    table->perms = os_reserve(MF_PERM_TABLE_PAGES, 0);
    return table->perms != NULL && os_commit(table->perms, MF_PERM_TABLE_PAGES);
}

void perm_table_close(perm_table *table) {
    os_release(table->perms, MF_PERM_TABLE_PAGES);
}

/* The table is NONE from len_pages on, so only what lies below is written when pages become NONE. */
void perm_table_set(perm_table *table, page_run run, mf_perm perm) {
    uint32_t len = table->len_pages;
    uint32_t end = perm == MF_PERM_NONE && run.end > len ? len : run.end;
    if (run.first < end)
        memset(table->perms + run.first, (int)perm, end - run.first);
    if (perm != MF_PERM_NONE)
        table->len_pages = end > len ? end : len;
    else if (run.first < len && end == len)
        table->len_pages = find_top(table->perms, run.first);
}

void perm_table_clear(perm_table *table) {
    if (table->len_pages <= SHORT_TABLE_PAGES)
        memset(table->perms, MF_PERM_NONE, table->len_pages);
    else
        os_zero(table->perms, MF_PERM_TABLE_PAGES);
    table->len_pages = 0;
}

void perm_table_clone(perm_table *to, const perm_table *from) {
    os_copy_written(to->perms, from->perms, from->len_pages);
    to->len_pages = from->len_pages;
}
