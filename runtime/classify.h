/* The one place that decides whether a range is accessible and what the fault is when it is not. */
#ifndef MEMFOLD_RUNTIME_CLASSIFY_H
#define MEMFOLD_RUNTIME_CLASSIFY_H

#include <memfold/abi.h>

#include <stdbool.h>

/* No page: every index of a range is accessible. Unlike any page it is not a multiple of 4096. */
#define NO_PAGE UINT64_MAX

/* The lowest permission that lets `operation` touch a page. What is no operation gets what a store gets. */
static inline mf_perm operation_least_perm(mf_operation operation) {
    return operation == MF_LOAD ? MF_PERM_RO : MF_PERM_RW;
}

/*
 * The 4096-aligned index of the lowest page of [index, index + length) that `operation` may not touch, or
 * NO_PAGE. The end may pass 2^64.
 */
uint64_t classify_find_page(const unsigned char *perms, uint64_t index, uint64_t length,
                            mf_operation operation);

/*
 * The same by the live permissions of `view`, beside which sbrk may run: if it is NO_PAGE, all that was done
 * to the pages before they were added is seen.
 */
uint64_t classify_refusal(const mf_view *view, uint64_t index, uint64_t length, mf_operation operation);

/* The record of an access that `page`, the lowest inaccessible one, has refused. */
mf_fault classify_page(const unsigned char *perms, uint64_t page, uint64_t index, uint64_t length,
                       mf_operation operation);

/*
 * The record of an access through `view` that was refused, by the rule of `limit` in abi.h.
 *
 * If the permissions let it happen by now, sbrk has added pages since the engine looked, and the engine has
 * seen an older end of the heap: it is a page fault on the lowest page touched that the last growth has
 * added, or, if that lies above, on the highest page touched of the heap. If none of the heap is touched, the
 * accessor was for another layout, and it is a page fault on the first page.
 */
mf_fault classify_fault(const mf_view *view, uint64_t index, uint64_t length, mf_operation operation,
                        uint64_t limit);

#endif
