/* One access: made, and compared with the contract. */
#ifndef MEMFOLD_GEN_VERIFY_SWEEP_ACCESS_H
#define MEMFOLD_GEN_VERIFY_SWEEP_ACCESS_H

#include "verify/sweep_guest.h"

#include <memfold/sweep.h>

/* What accesses by one accessor are made with. */
typedef struct sweep_subject {
    sweep_guest *guest;
    const mf_accessor_options *options;
    const mf_sweep_request *request;
    mf_accessor_id accessor;
    const mf_accessor_info *info;
    mf_accessor_fn *function;
    mf_sweep_report *report; /* its index is written before the call: another process may have to read it */
} sweep_subject;

/*
 * Makes the access; the pages around it are filled. True if it did what the contract says, and then the guest
 * is as before. Otherwise the report has what is wrong. Under the policy NONE an access that is not allowed
 * is not made, and counts as none.
 */
bool sweep_access_is_right(const sweep_subject *s, uint64_t index);

/* Writes to the report what was to be done at its index, and what the contract says of it. */
void sweep_access_describe(const sweep_subject *s);

#endif
