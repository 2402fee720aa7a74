/*
 * One access with the steps of its plan, as blocks: for a software check
 *
 *     check ---> access          and for the MMU's      access ---> access.done
 *         `----> fault                                       `----> fault
 *
 * The builder is left on the good path; whoever called fills the fault block.
 */
#include "emit/checked.h"

#include "emit/access.h"
#include "emit/mask.h"
#include "emit/paged.h"

#include <assert.h>

/* The first step that is about the access; layout or backend is compared before. */
static uint32_t emit_layout_step(const ir *ir, const emit_site *site) {
    const mf_plan_step *step = &site->plan->steps[0];
    if (step->kind != MF_STEP_SAME_LAYOUT && step->kind != MF_STEP_SAME_BACKEND)
        return 0;
    assert(step->on_pass == MF_EXIT_NEXT && step->on_fail == MF_EXIT_PANIC);
    emit_same_stamp(ir, site, step);
    return 1;
}

/* Everything faults, and there is no access. */
static emit_checked emit_no_access(const ir *ir, LLVMBasicBlockRef b_fault) {
    LLVMBasicBlockRef b_here = LLVMGetInsertBlock(ir->builder);
    LLVMBuildBr(ir->builder, b_fault);
    return (emit_checked){.is_reached = false, .b_fault_from = b_here};
}

/*
 * The comparisons, then the host address. Its index is the one that was compared: a mask makes another of it,
 * for the access alone.
 */
static LLVMValueRef emit_after_steps(const ir *ir, const emit_site *site, uint32_t first, LLVMValueRef v_base,
                                     LLVMValueRef v_index, LLVMBasicBlockRef b_fault, emit_checked *made) {
    const mf_plan_step *end = &site->plan->steps[site->plan->step_count - 1];
    emit_check check = emit_check_steps(ir, site, first, v_index, b_fault);
    made->b_fault_from = check.b_fault_from;
    if (v_index == NULL)
        v_index = emit_index(ir, site);
    if (end->kind == MF_STEP_MASK)
        v_index = emit_mask(ir, site, end, &check, v_index);
    return emit_access_host(ir, site, v_base, v_index);
}

/* What moves the bytes once the place is known; NULL for the client's own access, which the MMU checks by
 * itself. */
typedef LLVMValueRef emit_move(const ir *ir, const emit_site *site, LLVMValueRef v_host,
                               LLVMValueRef v_value);

static emit_checked emit_checked_move(const ir *ir, const emit_site *site, emit_move *move,
                                      LLVMValueRef v_value, LLVMBasicBlockRef b_fault) {
    uint32_t first = emit_layout_step(ir, site);
    const mf_plan_step *step = &site->plan->steps[first];
    if (step->kind == MF_STEP_ALWAYS && step->on_pass == MF_EXIT_FAULT)
        return emit_no_access(ir, b_fault);
    emit_checked made = {.is_reached = true};
    LLVMValueRef v_index = emit_check_is_narrow(site) ? NULL : emit_index(ir, site);
    LLVMValueRef v_base = emit_access_base(ir, site);
    LLVMValueRef v_host;
    if (step->kind == MF_STEP_MMU && move != NULL) {
        made.b_fault_from = b_fault == NULL ? NULL : LLVMGetInsertBlock(ir->builder);
        made.v_loaded = emit_access_paged(ir, site, v_base, v_index, v_value, b_fault);
        return made;
    }
    if (step->kind == MF_STEP_ALWAYS || step->kind == MF_STEP_MMU) {
        v_host = emit_access_host(ir, site, v_base, v_index);
    } else {
        bool is_read = site->options->base == MF_BASE_VIEW && site->v_base == NULL;
        emit_site here = *site;
        here.v_room = emit_check_room(ir, site);
        v_host = emit_after_steps(ir, &here, first, v_base, v_index, b_fault, &made);
        made.cold.v_index = v_index;
        made.cold.v_kept[0] = is_read ? v_base : NULL;
        made.cold.v_kept[1] = site->v_heap_end == NULL ? here.v_room : NULL;
    }
    made.v_loaded = move == NULL ? v_host : move(ir, site, v_host, v_value);
    return made;
}

emit_checked emit_checked_access(const ir *ir, const emit_site *site, LLVMValueRef v_value,
                                 LLVMBasicBlockRef b_fault) {
    return emit_checked_move(ir, site, emit_access_plain, v_value, b_fault);
}

emit_checked emit_checked_host(const ir *ir, const emit_site *site, LLVMBasicBlockRef b_fault) {
    return emit_checked_move(ir, site, NULL, NULL, b_fault);
}

/*
 * Where the MMU checks, the index is widened from a copy that LLVM does not recognise, so that the good path
 * keeps no register for the fault edge.
 */
emit_cold emit_checked_enter_fault(const ir *ir, const emit_site *site, const emit_checked *checked,
                                   LLVMBasicBlockRef b_fault) {
    emit_cold cold = checked->cold;
    emit_site again = *site;
    ir_block_enter(ir, b_fault);
    if (mf_plan_has_step(site->plan, MF_STEP_MMU) && site->v_address != NULL)
        again.v_address = ir_launder(ir, site->v_address, "address.again");
    if (cold.v_index == NULL)
        cold.v_index = emit_index(ir, &again);
    return cold;
}
