/* Runs of guest pages, and which ranges are whole pages of the guest space. */
#ifndef MEMFOLD_RUNTIME_PAGES_H
#define MEMFOLD_RUNTIME_PAGES_H

#include <memfold/abi.h>
#include <memfold/layout.h>
#include <memfold/status.h>

#include <stdbool.h>

/* Pages [first, end), end <= MF_SPACE_PAGES. */
typedef struct page_run {
    uint32_t first;
    uint32_t end;
} page_run;

static inline uint64_t page_bytes(uint64_t pages) {
    return pages << MF_PAGE_LOG2;
}

static inline uint64_t page_floor(uint64_t index) {
    return index & ~(uint64_t)(MF_PAGE_SIZE - 1);
}

static inline uint64_t page_ceil(uint64_t index) {
    return page_floor(index + MF_PAGE_SIZE - 1);
}

static inline uint64_t saturating_add(uint64_t a, uint64_t b) {
    return a + b < a ? UINT64_MAX : a + b;
}

/* The pages of [start, start + size); both aligned, the end not past 2^32. */
static inline page_run page_run_of(uint64_t start, uint64_t size) {
    return (page_run){(uint32_t)(start >> MF_PAGE_LOG2), (uint32_t)((start + size) >> MF_PAGE_LOG2)};
}

/* Whether the MF_PAGE_SIZE bytes are all zero. */
bool page_is_zero(const unsigned char *bytes);

/* MF_INVALID_ARGUMENT with the value if `access`, or `perm`, is none of its enumerators. */
mf_status access_check(mf_access access, mf_diag *diag);
mf_status perm_check(mf_perm perm, mf_diag *diag);

/* MF_OK if [start, start + size) is whole pages of the guest space; otherwise the first broken rule. */
mf_status page_range_check(uint64_t start, uint64_t size, mf_diag *diag);

/* MF_OVERFLOW with the (saturated) end if [start, start + size) ends past 2^32. */
mf_status space_range_check(uint64_t start, uint64_t size, mf_diag *diag);

#endif
