/*
 * One access with its check, as blocks: for a software check
 *
 *     check ---> access          and for the MMU's      access ---> access.done
 *         `----> fault                                       `----> fault
 *
 * The builder is left on the good path; whoever called fills the fault block.
 */
#include "emit/emit.h"

/* The index of a 32-bit address, at the builder's place. */
static void widen(const ir *ir, emit_site *site) {
    if (site->v_address != NULL)
        site->v_index = LLVMBuildZExt(ir->builder, site->v_address, ir->t_i64, "index");
}

bool emit_guarded_has_fault_edge(const emit_site *site) {
    bool handler_leaves = site->plan->check == MF_CHECK_PAGED && site->options->on_fault == MF_ON_FAULT_TRAP;
    return site->plan->may_fault && !handler_leaves;
}

/*
 * On paged the index is widened from a copy that LLVM does not recognise, so that the good path keeps no
 * register for the fault edge.
 */
void emit_guarded_enter_fault(const ir *ir, emit_site *site, LLVMBasicBlockRef b_fault) {
    ir_block_enter(ir, b_fault);
    if (site->plan->check == MF_CHECK_PAGED && site->v_address != NULL)
        site->v_address = ir_launder(ir, site->v_address, "address.again");
    if (site->v_index == NULL || site->plan->check == MF_CHECK_PAGED || emit_check_is_narrow(site))
        widen(ir, site);
}

/* ---- The kinds of plan ---- */

static LLVMValueRef plain_access(const ir *ir, const emit_site *site, LLVMValueRef v_value) {
    if (site->info->operation == MF_LOAD)
        return emit_access_load(ir, site);
    emit_access_store(ir, site, v_value);
    return NULL;
}

static LLVMValueRef paged_access(const ir *ir, const emit_site *site, LLVMValueRef v_value,
                                 LLVMBasicBlockRef b_fault) {
    if (site->info->operation == MF_LOAD)
        return emit_paged_load(ir, site, b_fault);
    emit_paged_store(ir, site, v_value, b_fault);
    return NULL;
}

static LLVMValueRef checked_access(const ir *ir, emit_site *site, LLVMValueRef v_value,
                                   LLVMBasicBlockRef b_fault) {
    LLVMBasicBlockRef b_access = ir_block_follow(ir, "access");
    emit_check check = emit_check_branch(ir, site, b_access, b_fault);

    if (emit_check_is_narrow(site))
        widen(ir, site);
    LLVMValueRef v_index = site->v_index;
    if (site->options->spectre == MF_SPECTRE_MASK)
        site->v_index = emit_check_mask(ir, site, &check);
    LLVMValueRef v_loaded = plain_access(ir, site, v_value);
    site->v_index = v_index;
    return v_loaded;
}

/* Everything faults: what follows is dead code. */
static LLVMValueRef no_access(const ir *ir, LLVMBasicBlockRef b_fault) {
    LLVMBasicBlockRef b_dead = ir_block_follow(ir, "access");
    LLVMBuildBr(ir->builder, b_fault);
    ir_block_enter(ir, b_dead);
    return LLVMGetPoison(ir->t_i64);
}

LLVMValueRef emit_guarded(const ir *ir, emit_site *site, LLVMValueRef v_value, LLVMBasicBlockRef b_fault) {
    bool is_narrow = emit_check_is_narrow(site);
    if (!is_narrow)
        widen(ir, site);
    if (site->plan->check == MF_CHECK_ALWAYS_FAULT)
        return no_access(ir, b_fault);
    site->v_base = emit_access_base(ir, site);
    if (site->plan->check == MF_CHECK_PAGED)
        return paged_access(ir, site, v_value, b_fault);
    if (site->plan->check == MF_CHECK_ALWAYS_ALLOWED)
        return plain_access(ir, site, v_value);
    return checked_access(ir, site, v_value, b_fault);
}
