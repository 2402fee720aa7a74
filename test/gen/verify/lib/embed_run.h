/*
 * A counterexample of an inlined access as it runs: its function is called with the registers, the heap and
 * the bytes that it names, in a process of its own, and compared with the reference.
 */
#ifndef MEMFOLD_TEST_EMBED_RUN_H
#define MEMFOLD_TEST_EMBED_RUN_H

#include "embed_sites.h"

/*
 * Whether the function does anything else than the reference, with these or with other bytes. Faults return,
 * the base is the view's, and vector registers are those of SSE. `asks_runtime`: the pages of the range have
 * permissions by which the runtime answers as in the counterexample.
 */
bool embed_run_differs(const embed_session *s, const embed_site *site, const mf_verify_result *refuted,
                       const verify_state *state, bool asks_runtime);

#endif
