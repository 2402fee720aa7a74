/* The inside of an mf_embed. */
#ifndef MEMFOLD_GEN_EMBED_EMBED_H
#define MEMFOLD_GEN_EMBED_EMBED_H

#include "emit/checked.h"
#include "emit/cold.h"
#include "emit/table.h"
#include "plan/reach.h"

#include <memfold/embed.h>

struct mf_embed {
    mf_layout *layout;
    mf_accessor_options options; /* all but `index` and the hint, which each access chooses */
    plan_reach reaches[2];       /* by mf_operation */
    emit_table tables[2];        /* by mf_operation, for every access */
    mf_plan range_plans[2];      /* by mf_operation: where a range may lie, in software */
    ir ir;                       /* its builder is the one of the access at hand */
};

/*
 * Begins to build into the client's module. MF_LLVM if its data layout is not one of a 64-bit little-endian
 * host, MF_INVALID_ARGUMENT if its triple is not one of the backend's, MF_UNKNOWN_TARGET if LLVM cannot
 * assemble for that.
 */
mf_status embed_begin(ir *ir, LLVMModuleRef module, mf_backend backend, LLVMBuilderRef builder,
                      mf_diag *diag);

/* The i64 index of an access, unless its 32-bit address serves as it is (then NULL). */
LLVMValueRef embed_index(const ir *ir, const mf_embed_access *access);

/* Ends the cold block where the builder stands: records the fault and goes to the client's block, or traps.
 */
void embed_leave(const ir *ir, const emit_site *site, const emit_cold *cold, LLVMBasicBlockRef b_client);

/* Writes from where the client's fault block is reached: from `b_fault`, or not at all (NULL) by a trap. */
void embed_tell_edge(const emit_site *site, LLVMBasicBlockRef b_fault, LLVMBasicBlockRef *fault_from);

#endif
