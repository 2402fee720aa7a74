/* Range rules, and scans of a permission table, eight pages at a time. */
#include "pages.h"

#include <string.h>

#define WORD_PAGES 8
#define EVERY_BYTE UINT64_C(0x0101010101010101)

static uint64_t word_at(const unsigned char *perms, uint32_t page) {
    uint64_t word;
    memcpy(&word, perms + page, sizeof word);
    return word;
}

mf_status space_range_check(uint64_t start, uint64_t size, mf_diag *diag) {
    uint64_t end = saturating_add(start, size);
    if (end > MF_SPACE_BYTES) {
        return mf_diag_set(diag, MF_OVERFLOW, end, "the range ends past 2^32, at 0x%llx",
                           (unsigned long long)end);
    }
    return MF_OK;
}

mf_status page_range_check(uint64_t start, uint64_t size, mf_diag *diag) {
    if (start % MF_PAGE_SIZE != 0) {
        return mf_diag_set(diag, MF_UNALIGNED_START, start, "the start 0x%llx is not a multiple of %d",
                           (unsigned long long)start, MF_PAGE_SIZE);
    }
    if (size % MF_PAGE_SIZE != 0) {
        return mf_diag_set(diag, MF_UNALIGNED_SIZE, size, "the size 0x%llx is not a multiple of %d",
                           (unsigned long long)size, MF_PAGE_SIZE);
    }
    return space_range_check(start, size, diag);
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

uint32_t perms_find_top(const unsigned char *perms, uint32_t end) {
    uint32_t top = end;
    while (top >= WORD_PAGES && word_at(perms, top - WORD_PAGES) == 0)
        top -= WORD_PAGES;
    while (top > 0 && perms[top - 1] == MF_PERM_NONE)
        top--;
    return top;
}
