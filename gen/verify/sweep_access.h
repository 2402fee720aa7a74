/* One access: made, and compared with the contract. */
#ifndef MEMFOLD_GEN_VERIFY_SWEEP_ACCESS_H
#define MEMFOLD_GEN_VERIFY_SWEEP_ACCESS_H

#include "verify/sweep_guest.h"

#include <memfold/sweep.h>

/* What accesses are made with. */
typedef struct sweep_subject {
    sweep_guest *guest;
    const mf_accessors *set;
    const mf_accessor_options *options;
    const mf_sweep_request *request;
    mf_sweep_report *report; /* what is being done, also for whoever reads it from another process */
} sweep_subject;

/*
 * Makes the access; the pages around it are filled. True if it did what the contract says, and then the guest
 * is as before. Otherwise the report has what is wrong. Under the policy NONE an access that is not allowed
 * is not made, and counts as none.
 */
bool sweep_access_is_right(const sweep_subject *s, mf_accessor_id id, uint64_t index);

#endif
