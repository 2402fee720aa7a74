/*
 * A counterexample executed: the accessor is called with its registers, on a memory that is as it says, and
 * what comes of it is compared with the byte-by-byte reference.
 */
#ifndef MEMFOLD_TEST_REPLAY_H
#define MEMFOLD_TEST_REPLAY_H

#include <memfold/verify.h>

/* True if the code does something else than the contract says, in a process of its own. */
bool replay_breaks(const mf_layout *layout, const mf_accessor_options *options, const mf_accessors *set,
                   const mf_verify_result *result);

#endif
