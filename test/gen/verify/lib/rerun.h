/*
 * A counterexample as it runs: an accessor is called with the registers, the heap, the permissions and the
 * bytes that it names, in a process of its own, and compared with the reference.
 */
#ifndef MEMFOLD_TEST_RERUN_H
#define MEMFOLD_TEST_RERUN_H

#include <memfold/verify.h>

/*
 * Whether the accessor does anything else than the reference. `asks_perms`: it looks up the live permission
 * table, so that the permissions of its pages are the counterexample's and not the layout's.
 */
bool rerun_differs(mf_accessor_fn *function, const mf_layout *layout, const mf_accessor_options *options,
                   const mf_verify_result *refuted, bool asks_perms);

#endif
