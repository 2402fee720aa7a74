/*
 * A counterexample as it runs: an accessor is called with the registers, the heap, the permissions, the stamp
 * and the bytes that it names, in a process of its own, and compared with the reference.
 */
#ifndef MEMFOLD_TEST_RERUN_H
#define MEMFOLD_TEST_RERUN_H

#include <memfold/verify.h>

/*
 * Whether the accessor, which is held to this layout and these options, does anything else than the
 * reference. The base must not be a constant.
 */
bool rerun_differs(mf_accessor_fn *function, const mf_layout *layout, const mf_accessor_options *options,
                   const mf_verify_result *refuted);

#endif
