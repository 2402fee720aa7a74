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

/* Eight entries, which are also accessed one by one. Tables begin at a page of the host. */
typedef uint64_t perm_word __attribute__((may_alias));

static bool is_whole_word(uint32_t page, uint32_t end) {
    return page % WORD_PAGES == 0 && end - page >= WORD_PAGES;
}

static uint64_t word_at(const unsigned char *perms, uint32_t page) {
    return __atomic_load_n((const perm_word *)(perms + page), __ATOMIC_ACQUIRE);
}

/*
 * Permissions are 0, 1 or 2, so bit 0 of (p >> 1) is set only for RW, and bit 0 of (p | p >> 1) for RO and
 * RW. What the shift brings in from the next byte lands in bit 7 and is masked.
 */
static uint64_t reaching_bytes(uint64_t word, mf_perm least) {
    return (least == MF_PERM_RW ? word >> 1 : word | word >> 1) & EVERY_BYTE;
}

/* What a scan goes over: a page or a word of pages, by their permissions. */
typedef bool is_passed(uint64_t word, uint64_t every, uint64_t perm);

static bool reach(uint64_t word, uint64_t every, uint64_t perm) {
    return reaching_bytes(word, (mf_perm)perm) == every;
}

static bool stay_below(uint64_t word, uint64_t every, uint64_t perm) {
    (void)every;
    return reaching_bytes(word, (mf_perm)perm) == 0;
}

static bool are_equal(uint64_t word, uint64_t every, uint64_t perm) {
    return word == perm * every;
}

/* The lowest page of `run` that is not passed; run.end if there is none. */
static inline uint32_t scan(const unsigned char *perms, page_run run, is_passed *passes, mf_perm perm) {
    uint32_t page = run.first;
    while (page < run.end)
        if (is_whole_word(page, run.end) && passes(word_at(perms, page), EVERY_BYTE, perm))
            page += WORD_PAGES;
        else if (passes(perms_at(perms, page), 1, perm))
            page++;
        else
            break;
    return page;
}

uint32_t perms_find_below(const unsigned char *perms, page_run run, mf_perm least) {
    return scan(perms, run, reach, least);
}

uint32_t perms_find_reaching(const unsigned char *perms, page_run run, mf_perm least) {
    return scan(perms, run, stay_below, least);
}

uint32_t perms_find_change(const unsigned char *perms, page_run run) {
    return scan(perms, run, are_equal, perms_at(perms, run.first));
}

bool perms_all(const unsigned char *perms, page_run run, mf_perm perm) {
    return scan(perms, run, are_equal, perm) == run.end;
}

/* The end of the highest page below `end` that is not NONE, 0 if there is none. */
static uint32_t find_top(const unsigned char *perms, uint32_t end) {
    uint32_t top = end;
    while (top > 0)
        if (top % WORD_PAGES == 0 && word_at(perms, top - WORD_PAGES) == 0)
            top -= WORD_PAGES;
        else if (perms_at(perms, top - 1) == MF_PERM_NONE)
            top--;
        else
            break;
    return top;
}

/* ---- The live table ------------------------------------------------------------------------ */

bool perm_table_open(perm_table *table) {
    if (!perm_space_take(&table->space))
        return false;
    table->perms = table->space.bytes;
    return true;
}

/* A short table stays resident for the next memory; what a long one has written goes back to the host. */
void perm_table_close(perm_table *table) {
    if (table->perms == NULL)
        return;
    if (table->high_pages <= SHORT_TABLE_PAGES)
        memset(table->perms, MF_PERM_NONE, table->len_pages);
    else
        os_zero(table->perms, MF_PERM_TABLE_PAGES);
    perm_space_give(table->space);
}

static void note_high(perm_table *table) {
    if (table->len_pages > table->high_pages)
        table->high_pages = table->len_pages;
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
    note_high(table);
}

void perm_table_grow(perm_table *table, page_run run) {
    uint32_t page = run.first;
    while (page < run.end) {
        if (is_whole_word(page, run.end)) {
            __atomic_store_n((perm_word *)(table->perms + page), MF_PERM_RW * EVERY_BYTE, __ATOMIC_RELEASE);
            page += WORD_PAGES;
        } else {
            __atomic_store_n(table->perms + page, (unsigned char)MF_PERM_RW, __ATOMIC_RELEASE);
            page++;
        }
    }
    if (run.end > table->len_pages)
        __atomic_store_n(&table->len_pages, run.end, __ATOMIC_RELEASE);
    note_high(table);
}

void perm_table_cut(perm_table *table, page_run run, uint32_t len_pages) {
    uint32_t end = run.end < table->len_pages ? run.end : table->len_pages;
    if (run.first < end)
        memset(table->perms + run.first, MF_PERM_NONE, end - run.first);
    table->len_pages = len_pages;
}

void perm_table_clear_layout(perm_table *table, const mf_layout *layout) {
    for (size_t i = 0; i < layout->run_count; i++)
        memset(table->perms + layout->runs[i].first, MF_PERM_NONE,
               layout->runs[i].end - layout->runs[i].first);
    table->len_pages = 0;
}
