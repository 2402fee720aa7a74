/*
 * The fault contract, one byte after the other, as the sweep holds it against the code. It knows the layout's
 * pages and how far the heap has grown, and shares nothing with plans or with the classifier of the runtime.
 */
#ifndef MEMFOLD_GEN_VERIFY_SWEEP_CONTRACT_H
#define MEMFOLD_GEN_VERIFY_SWEEP_CONTRACT_H

#include <memfold/abi.h>
#include <memfold/layout.h>
#include <memfold/options.h>

#include <stdbool.h>
#include <stdint.h>

typedef struct sweep_contract {
    unsigned char *perms; /* by page, of all pages that an access can touch */
    mf_heap heap;
    mf_policy policy;
    uint64_t bounds_end; /* everything below it is accessible under the policy bounds */
    uint64_t heap_end;   /* as the view has it */
} sweep_contract;

/* False if the host has no memory. The heap has no page yet. */
bool sweep_contract_init(sweep_contract *c, const mf_layout *layout, mf_policy policy);
void sweep_contract_fini(sweep_contract *c);

/* How many pages the heap can have: it grows up to its maximum or the first page that is a region's. */
uint32_t sweep_contract_heap_most(const sweep_contract *c);

/* The heap has so many pages, at most sweep_contract_heap_most. */
void sweep_contract_set_heap(sweep_contract *c, uint32_t pages);

/* Why the byte may not be touched. */
static inline mf_fault_kind sweep_contract_byte(const sweep_contract *c, uint64_t index, mf_operation op) {
    unsigned char perm = c->perms[index / MF_PAGE_SIZE];
    if (perm == MF_PERM_NONE)
        return MF_PAGE_FAULT;
    return op == MF_STORE && perm == MF_PERM_RO ? MF_WRITE_PROTECTED : MF_FAULT_NONE;
}

/*
 * True if the access is allowed. Otherwise writes its record, and the index of the first byte that may not be
 * touched.
 */
static inline bool sweep_contract_allows(const sweep_contract *c, uint64_t index, uint32_t width_bytes,
                                         mf_operation op, mf_fault *fault, uint64_t *first) {
    for (uint64_t i = index; i < index + width_bytes; i++) {
        mf_fault_kind kind = sweep_contract_byte(c, i, op);
        if (kind == MF_FAULT_NONE)
            continue;
        *fault = (mf_fault){kind, op, i / MF_PAGE_SIZE * MF_PAGE_SIZE, index, width_bytes};
        *first = i;
        return false;
    }
    return true;
}

#endif
