#include "emit/cold.h"

#include "emit/number.h"

/* Reads anything, writes only what its pointer argument points to: the view, never guest bytes or tables. */
#define MEMORY_READ_ARGUMENT_WRITE (3u | 1u << 2 | 1u << 4)
#define MEMORY_READ (1u | 1u << 2 | 1u << 4)

static const ir_attribute RETURNING[] = {
    {"cold", 0}, {"nounwind", 0}, {"willreturn", 0}, {"memory", MEMORY_READ_ARGUMENT_WRITE}, {NULL, 0}};
/* The entry that keeps registers must not be bound at its first call, by code that does not. */
static const ir_attribute PRESERVING[] = {{"nonlazybind", 0}, {NULL, 0}};
static const ir_attribute LEAVING[] = {{"cold", 0}, {"nounwind", 0}, {"noreturn", 0}, {NULL, 0}};

static LLVMValueRef call_with_access(const ir *ir, const emit_site *site, const emit_cold *cold,
                                     LLVMValueRef f_entry, const char *name) {
    for (int i = 0; i < 2; i++)
        if (cold->v_kept[i] != NULL)
            ir_keep(ir, cold->v_kept[i]);
    uint64_t code = MF_ACCESS_CODE(site->plan->operation, site->plan->width_bytes);
    LLVMValueRef v_access = site->v_access != NULL ? site->v_access : ir_const(ir->t_i64, code);
    LLVMValueRef v_limit = site->plan->limit == 0 ? ir_const(ir->t_i64, 0)
                                                  : emit_number(ir, site, ir->t_i64, NULL, PLAN_NUMBER_LIMIT);
    LLVMValueRef arguments[] = {site->v_view, cold->v_index, v_access, v_limit};
    return ir_call(ir, f_entry, arguments, 4, name);
}

static LLVMTypeRef entry_type(const ir *ir, LLVMTypeRef t_result) {
    LLVMTypeRef parameters[] = {ir->t_ptr, ir->t_i64, ir->t_i64, ir->t_i64};
    return LLVMFunctionType(t_result, parameters, 4, false);
}

LLVMValueRef emit_cold_return(const ir *ir, const emit_site *site, const emit_cold *cold) {
    LLVMValueRef f_fault = ir_declare(ir, MF_RT_FAULT, entry_type(ir, ir->t_i32), RETURNING);
    ir_extend_i32_result(ir, f_fault);
    LLVMValueRef v_status = call_with_access(ir, site, cold, f_fault, "status");
    if (ir->fault_entry_preserves) {
        ir_add_function_attributes(ir, f_fault, PRESERVING);
        LLVMSetFunctionCallConv(f_fault, LLVMPreserveMostCallConv);
        LLVMSetInstructionCallConv(v_status, LLVMPreserveMostCallConv);
    }
    ir_set_i32_result(ir, v_status, MF_PAGE_FAULT, MF_WRITE_PROTECTED);
    return v_status;
}

LLVMValueRef emit_range_call(const ir *ir, LLVMValueRef v_view, LLVMValueRef v_index, LLVMValueRef v_access) {
    static const ir_attribute READING[] = {
        {"nounwind", 0}, {"willreturn", 0}, {"memory", MEMORY_READ}, {NULL, 0}};
    LLVMTypeRef parameters[] = {ir->t_ptr, ir->t_i64, ir->t_i64};
    LLVMTypeRef t_call = LLVMFunctionType(ir->t_i32, parameters, 3, false);
    LLVMValueRef f_accessible = ir_declare(ir, MF_RT_ACCESSIBLE, t_call, READING);
    ir_extend_i32_result(ir, f_accessible);
    LLVMValueRef arguments[] = {v_view, v_index, v_access};
    LLVMValueRef v_answer = ir_call(ir, f_accessible, arguments, 3, "accessible");
    return LLVMBuildICmp(ir->builder, LLVMIntNE, v_answer, ir_const(ir->t_i32, 0), "ok");
}

void emit_cold_trap(const ir *ir, const emit_site *site, const emit_cold *cold) {
    LLVMValueRef f_trap = ir_declare(ir, MF_RT_TRAP, entry_type(ir, ir->t_void), LEAVING);
    call_with_access(ir, site, cold, f_trap, "");
    LLVMBuildUnreachable(ir->builder);
}

/*
 * The backend is one of two stencils, and the panic is told of no layout; of the layout each plan has a
 * number of its own.
 */
static LLVMValueRef emit_stamp(const ir *ir, const emit_site *site, const mf_plan_step *step) {
    if (step->kind == MF_STEP_SAME_BACKEND)
        return ir_const(ir->t_i64, MF_LAYOUT_STAMP(0, step->start));
    return emit_number(ir, site, ir->t_i64, step, PLAN_NUMBER_START);
}

/* stamp == wanted, or of the backend's bit: (stamp & bit) == 0. */
static LLVMValueRef emit_fresh(const ir *ir, const emit_site *site, const mf_plan_step *step,
                               LLVMValueRef v_wanted) {
    bool is_wide = site->plan->index == MF_INDEX_U33;
    LLVMValueRef v_actual =
        ir_load_view_field(ir, site->v_view, is_wide ? IR_VIEW_U33_STAMP : IR_VIEW_LAYOUT_STAMP);
    if (step->kind != MF_STEP_SAME_BACKEND)
        return LLVMBuildICmp(ir->builder, LLVMIntEQ, v_actual, v_wanted, "fresh");
    LLVMValueRef v_bit = ir_const(ir->t_i64, MF_LAYOUT_STAMP_REFUSES(step->start));
    LLVMValueRef v_refuses = LLVMBuildAnd(ir->builder, v_actual, v_bit, "stamp.refuses");
    return LLVMBuildICmp(ir->builder, LLVMIntEQ, v_refuses, ir_const(ir->t_i64, 0), "fresh");
}

void emit_same_stamp(const ir *ir, const emit_site *site, const mf_plan_step *step) {
    LLVMBasicBlockRef b_here = LLVMGetInsertBlock(ir->builder);
    LLVMValueRef f = LLVMGetBasicBlockParent(b_here);
    LLVMBasicBlockRef b_stale = ir_block_append(ir, f, "stale.panic");
    LLVMBasicBlockRef b_fresh = ir_block_append(ir, f, "stale.fresh");
    LLVMValueRef v_wanted = emit_stamp(ir, site, step);

    LLVMValueRef v_fresh = emit_fresh(ir, site, step, v_wanted);
    ir_branch_likely(ir, v_fresh, b_fresh, b_stale);

    ir_block_enter(ir, b_stale);
    LLVMTypeRef parameters[] = {ir->t_ptr, ir->t_i64};
    LLVMTypeRef t_stale = LLVMFunctionType(ir->t_void, parameters, 2, false);
    LLVMValueRef f_stale = ir_declare(ir, MF_RT_STALE, t_stale, LEAVING);
    LLVMValueRef arguments[] = {site->v_view, v_wanted};
    ir_call(ir, f_stale, arguments, 2, "");
    LLVMBuildUnreachable(ir->builder);

    ir_block_enter(ir, b_fresh);
}
