/*
 * One accessor as a function:
 *
 *     check ----> access ---> done: phi, ret
 *        \                   /
 *         `----> fault -----'        (on_fault = trap: the fault block does not come back)
 *
 * One return block with scalar phis, so that LLVM hoists the check once the function is inlined.
 */
#include "emit/accessor.h"

#include "emit/access.h"
#include "emit/checked.h"

#include <stdio.h>
#include <string.h>

typedef struct accessor {
    const ir *ir;
    emit_site site;
    LLVMValueRef f;
    LLVMValueRef v_value; /* of a store */
} accessor;

/* What one path delivers to the return block. */
typedef struct outcome {
    LLVMBasicBlockRef b_from; /* NULL: the path does not come here */
    LLVMValueRef v_value;     /* i64, loads only */
    LLVMValueRef v_status;
} outcome;

/* ---- Signature ---- */

static LLVMTypeRef result_type(const ir *ir, const mf_accessor_info *info,
                               const mf_accessor_options *options) {
    bool traps = options->on_fault == MF_ON_FAULT_TRAP;
    if (info->operation == MF_LOAD)
        return traps ? ir->t_i64 : ir->t_load_result;
    return traps ? ir->t_void : ir->t_i32;
}

/* (view, [base,] address or index, [value]) */
static LLVMTypeRef function_type(const ir *ir, const mf_accessor_info *info,
                                 const mf_accessor_options *options) {
    LLVMTypeRef parameters[4];
    unsigned count = 0;
    parameters[count++] = ir->t_ptr;
    if (options->base == MF_BASE_ARGUMENT)
        parameters[count++] = ir->t_ptr;
    parameters[count++] = options->index == MF_INDEX_U33 ? ir->t_i64 : ir->t_i32;
    if (info->operation == MF_STORE)
        parameters[count++] = ir->t_i64;
    return LLVMFunctionType(result_type(ir, info, options), parameters, count, false);
}

static LLVMValueRef define_function(const ir *ir, const mf_accessor_info *info,
                                    const mf_accessor_options *options, const char *symbol) {
    static const ir_attribute ALL[] = {{"nounwind", 0}, {NULL, 0}};
    LLVMTypeRef t_function = function_type(ir, info, options);
    LLVMValueRef f = LLVMAddFunction(ir->module, symbol, t_function);
    ir_add_function_attributes(ir, f, ALL);
    emit_null_is_valid(ir, f, options);
    ir_add_attribute(ir, f, 1, (ir_attribute){"nonnull", 0});
    ir_add_attribute(ir, f, 1, (ir_attribute){"dereferenceable", MF_VIEW_BYTES});
    if (info->operation == MF_STORE && options->on_fault == MF_ON_FAULT_RETURN)
        ir_extend_i32_result(ir, f);
    return f;
}

static LLVMValueRef parameter(accessor *a, unsigned position, const char *name) {
    LLVMValueRef v = LLVMGetParam(a->f, position);
    LLVMSetValueName2(v, name, strlen(name));
    return v;
}

static void name_parameters(accessor *a) {
    const mf_accessor_options *options = a->site.options;
    unsigned position = 0;
    a->site.v_view = parameter(a, position++, "view");
    if (options->base == MF_BASE_ARGUMENT)
        a->site.v_base = parameter(a, position++, "base");
    if (options->index == MF_INDEX_U33)
        a->site.v_index = parameter(a, position++, "index");
    else
        a->site.v_address = parameter(a, position++, "address");
    if (a->site.plan->operation == MF_STORE)
        a->v_value = parameter(a, position++, "value");
}

/* ---- Paths ---- */

static outcome good_outcome(const accessor *a, const emit_checked *checked) {
    LLVMValueRef v_status = ir_const(a->ir->t_i32, MF_FAULT_NONE);
    return (outcome){LLVMGetInsertBlock(a->ir->builder), checked->v_loaded, v_status};
}

/* The fault at the builder's place; a trap does not come back and there is no outcome. */
static outcome fault_outcome(const accessor *a, const emit_cold *cold) {
    if (a->site.options->on_fault == MF_ON_FAULT_TRAP) {
        emit_cold_trap(a->ir, &a->site, cold);
        return (outcome){0};
    }
    LLVMValueRef v_status = emit_cold_return(a->ir, &a->site, cold);
    return (outcome){LLVMGetInsertBlock(a->ir->builder), ir_const(a->ir->t_i64, 0), v_status};
}

/* ---- Return ---- */

static LLVMValueRef join(accessor *a, LLVMTypeRef t_value, const outcome *outcomes,
                         const LLVMValueRef *values, unsigned count, const char *name) {
    if (count == 1)
        return values[0];
    LLVMValueRef v_phi = LLVMBuildPhi(a->ir->builder, t_value, name);
    for (unsigned i = 0; i < count; i++) {
        LLVMValueRef v_value = values[i];
        LLVMBasicBlockRef b_from = outcomes[i].b_from;
        LLVMAddIncoming(v_phi, &v_value, &b_from, 1);
    }
    return v_phi;
}

static void build_return(accessor *a, const outcome *outcomes, unsigned count) {
    const ir *ir = a->ir;
    LLVMValueRef values[2];
    LLVMValueRef statuses[2];
    for (unsigned i = 0; i < count; i++) {
        values[i] = outcomes[i].v_value;
        statuses[i] = outcomes[i].v_status;
    }
    bool loads = a->site.plan->operation == MF_LOAD;
    bool traps = a->site.options->on_fault == MF_ON_FAULT_TRAP;
    LLVMValueRef v_value = loads ? join(a, ir->t_i64, outcomes, values, count, "value") : NULL;
    LLVMValueRef v_status = traps ? NULL : join(a, ir->t_i32, outcomes, statuses, count, "status");
    if (loads && traps) {
        LLVMBuildRet(ir->builder, v_value);
    } else if (loads) {
        LLVMValueRef v_half =
            LLVMBuildInsertValue(ir->builder, LLVMGetPoison(ir->t_load_result), v_value, 0, "");
        LLVMValueRef v_result = LLVMBuildInsertValue(ir->builder, v_half, v_status, 1, "result");
        LLVMBuildRet(ir->builder, v_result);
    } else if (traps) {
        LLVMBuildRetVoid(ir->builder);
    } else {
        LLVMBuildRet(ir->builder, v_status);
    }
}

/* ---- The body ---- */

/* The good path ends in the block before `b_done`, the other in the fault block behind it. */
static void body_with_fault_edge(accessor *a) {
    const ir *ir = a->ir;
    outcome outcomes[2];
    unsigned count = 0;
    LLVMBasicBlockRef b_fault = ir_block_append(ir, a->f, "fault");
    emit_checked checked = emit_checked_access(ir, &a->site, a->v_value, b_fault);
    if (checked.is_reached)
        outcomes[count++] = good_outcome(a, &checked);
    LLVMBasicBlockRef b_done = ir_block_append(ir, a->f, "done");
    if (checked.is_reached)
        LLVMBuildBr(ir->builder, b_done);

    LLVMMoveBasicBlockAfter(b_fault, b_done);
    emit_cold cold = emit_checked_enter_fault(ir, &a->site, &checked, b_fault);
    outcome failed = fault_outcome(a, &cold);
    if (failed.b_from != NULL) {
        LLVMBuildBr(ir->builder, b_done);
        outcomes[count++] = failed;
    }
    if (count == 0) {
        LLVMDeleteBasicBlock(b_done);
        return;
    }
    ir_block_enter(ir, b_done);
    build_return(a, outcomes, count);
}

static void body_without_fault_edge(accessor *a) {
    emit_checked checked = emit_checked_access(a->ir, &a->site, a->v_value, NULL);
    outcome done = good_outcome(a, &checked);
    build_return(a, &done, 1);
}

/* `site` is what the caller knows; types and arguments follow from it. */
static LLVMValueRef emit_function(const ir *ir, const emit_site *site, const char *symbol) {
    const mf_plan *plan = site->plan;
    const mf_accessor_options *options = site->options;
    const mf_accessor_info *info = mf_accessor_info_get((mf_accessor_id)plan->accessor);
    accessor a = {.ir = ir, .site = *site};
    a.site.t_raw = ir_int_type(ir, info->width_bytes);
    a.site.sign_extends = info->sign_extends;
    a.f = define_function(ir, info, options, symbol);
    char block_name[64];
    snprintf(block_name, sizeof block_name, "check.%s", mf_check_name((mf_check)plan->check));
    ir_block_enter(ir, ir_block_append(ir, a.f, block_name));
    name_parameters(&a);
    if (mf_plan_has_fault_edge(plan))
        body_with_fault_edge(&a);
    else
        body_without_fault_edge(&a);
    return a.f;
}

LLVMValueRef emit_accessor(const ir *ir, const mf_plan *plan, const mf_accessor_options *options,
                           bool asks_for_table, LLVMValueRef v_table, const char *symbol) {
    emit_site site = {.plan = plan, .options = options, .asks_for_table = asks_for_table, .v_table = v_table};
    return emit_function(ir, &site, symbol);
}

LLVMValueRef emit_accessor_with_holes(const ir *ir, const mf_plan *plan, const mf_accessor_options *options,
                                      const emit_holes *holes, const char *symbol) {
    emit_site site = {.plan = plan, .options = options, .holes = holes};
    return emit_function(ir, &site, symbol);
}
