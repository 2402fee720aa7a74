/*
 * All accessors of one layout. The emitters, in the order an access runs through them:
 *
 *     site        what one access is made from
 *     checked     the steps of the plan and the access with their blocks
 *     check       the comparisons of the steps, and the branches between them
 *     mask        the index once more, so that a mispredicted check touches nothing else
 *     access      the load or store itself
 *     paged       the load or store that the MMU checks
 *     cold        the calls that record the fault
 *     accessor    one function: the above with phis and signature
 *     table, set  constant data; all accessors of a layout, and the constant that holds them
 *
 * None of them asks whether a check is needed, only how the planned steps are written.
 */
#ifndef MEMFOLD_GEN_EMIT_SET_H
#define MEMFOLD_GEN_EMIT_SET_H

#include "ir/ir.h"
#include "plan/fit.h"

/* What the code of a set is made from. */
typedef struct emit_input {
    const plan_set *plans;
    const mf_accessor_options *options;
    plan_fit fit; /* which memories they are exact for */
    const char *prefix;
    bool asks_for_table; /* the module is a client's, who must not forget its exception table */
} emit_input;

/* How many entries of the exception table the set has. */
size_t emit_entry_count(const emit_input *input);

/*
 * Defines all accessors as <prefix>_<name>, written to `functions` in the order of mf_accessor_id.
 * MF_OUT_OF_MEMORY.
 */
mf_status emit_functions(ir *ir, const emit_input *input, LLVMValueRef functions[MF_ACCESSOR_COUNT],
                         mf_diag *diag);

/*
 * The same, and <prefix>_accessors, the constant mf_accessors that holds them. If there are entries in the
 * exception table, <prefix>_extable is where they begin. MF_OUT_OF_MEMORY.
 */
mf_status emit_set(ir *ir, const emit_input *input, mf_diag *diag);

#endif
