/*
 * One accessor as a function:
 *
 *     check ----> access ---> done: phi, ret
 *        \                   /
 *         `----> fault -----'        (on_fault = trap: the fault block does not come back)
 *
 * One return block with scalar phis, so that LLVM hoists the check once the function is inlined.
 */
#include "emit/emit.h"

#include <stdio.h>
#include <string.h>

typedef struct accessor {
    const ir *ir;
    emit_site site;
    LLVMValueRef function;
    LLVMValueRef v_value; /* of a store */
} accessor;

/* What one path delivers to the return block. */
typedef struct outcome {
    LLVMBasicBlockRef block;
    LLVMValueRef v_value; /* i64, loads only */
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
    LLVMTypeRef type = function_type(ir, info, options);
    LLVMValueRef function = LLVMAddFunction(ir->module, symbol, type);
    ir_add_function_attributes(ir, function, ALL);
    emit_null_is_valid(ir, function, options);
    ir_add_attribute(ir, function, 1, (ir_attribute){"nonnull", 0});
    ir_add_attribute(ir, function, 1, (ir_attribute){"dereferenceable", MF_VIEW_BYTES});
    if (info->operation == MF_STORE && options->on_fault == MF_ON_FAULT_RETURN)
        ir_extend_i32_result(ir, function);
    return function;
}

static LLVMValueRef parameter(accessor *a, unsigned position, const char *name) {
    LLVMValueRef v = LLVMGetParam(a->function, position);
    LLVMSetValueName2(v, name, strlen(name));
    return v;
}

static void take_parameters(accessor *a) {
    const mf_accessor_options *options = a->site.options;
    unsigned position = 0;
    a->site.v_view = parameter(a, position++, "view");
    if (options->base == MF_BASE_ARGUMENT)
        a->site.v_base = parameter(a, position++, "base");
    if (options->index == MF_INDEX_U33)
        a->site.v_index = parameter(a, position++, "index");
    else
        a->site.v_address = parameter(a, position++, "address");
    if (a->site.info->operation == MF_STORE)
        a->v_value = parameter(a, position++, "value");
}

/* ---- Paths ---- */

/* Check and access at the builder's place. */
static outcome path_access(accessor *a, LLVMBasicBlockRef b_fault) {
    outcome done = {.v_status = ir_const(a->ir->t_i32, MF_FAULT_NONE)};
    done.v_value = emit_guarded(a->ir, &a->site, a->v_value, b_fault);
    done.block = LLVMGetInsertBlock(a->ir->builder);
    return done;
}

/* Fault at the builder's place; for traps it does not come back and there is no outcome. */
static outcome path_fault(accessor *a) {
    if (a->site.options->on_fault == MF_ON_FAULT_TRAP) {
        emit_fault_trap(a->ir, &a->site);
        return (outcome){0};
    }
    outcome failed = {.v_value = ir_const(a->ir->t_i64, 0)};
    failed.v_status = emit_fault_return(a->ir, &a->site);
    failed.block = LLVMGetInsertBlock(a->ir->builder);
    return failed;
}

/* ---- Return ---- */

static LLVMValueRef join(accessor *a, LLVMTypeRef type, const outcome *outcomes, const LLVMValueRef *values,
                         unsigned count, const char *name) {
    if (count == 1)
        return values[0];
    LLVMValueRef phi = LLVMBuildPhi(a->ir->builder, type, name);
    for (unsigned i = 0; i < count; i++) {
        LLVMValueRef v_value = values[i];
        LLVMBasicBlockRef block = outcomes[i].block;
        LLVMAddIncoming(phi, &v_value, &block, 1);
    }
    return phi;
}

static void build_return(accessor *a, const outcome *outcomes, unsigned count) {
    const ir *ir = a->ir;
    LLVMValueRef values[2];
    LLVMValueRef statuses[2];
    for (unsigned i = 0; i < count; i++) {
        values[i] = outcomes[i].v_value;
        statuses[i] = outcomes[i].v_status;
    }
    bool loads = a->site.info->operation == MF_LOAD;
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

/* ---- Bodies ---- */

static void body_always_fault(accessor *a) {
    emit_guarded_enter_fault(a->ir, &a->site, LLVMGetInsertBlock(a->ir->builder));
    outcome failed = path_fault(a);
    if (failed.block != NULL)
        build_return(a, &failed, 1);
}

static void body_without_fault_edge(accessor *a) {
    outcome done = path_access(a, NULL);
    build_return(a, &done, 1);
}

static void body_with_fault_edge(accessor *a) {
    const ir *ir = a->ir;
    outcome outcomes[2];
    LLVMBasicBlockRef b_fault = ir_block_append(ir, a->function, "fault");
    outcomes[0] = path_access(a, b_fault);
    LLVMBasicBlockRef b_done = ir_block_append(ir, a->function, "done");
    LLVMBuildBr(ir->builder, b_done);

    LLVMMoveBasicBlockAfter(b_fault, b_done);
    emit_guarded_enter_fault(ir, &a->site, b_fault);
    outcomes[1] = path_fault(a);
    if (outcomes[1].block != NULL)
        LLVMBuildBr(ir->builder, b_done);

    ir_block_enter(ir, b_done);
    build_return(a, outcomes, outcomes[1].block != NULL ? 2 : 1);
}

LLVMValueRef emit_accessor(const ir *ir, const emit_input *input, mf_accessor_id id, LLVMValueRef v_table,
                           const char *symbol) {
    const mf_plan *plan = &input->plans->plans[id];
    const mf_accessor_options *options = input->options;
    const mf_accessor_info *info = mf_accessor_info_get(id);
    accessor a = {.ir = ir, .site = {.plan = plan, .info = info, .options = options, .v_table = v_table}};
    a.function = define_function(ir, info, options, symbol);
    char block_name[64];
    snprintf(block_name, sizeof block_name, "check.%s", mf_check_name(plan->check));
    ir_block_enter(ir, ir_block_append(ir, a.function, block_name));
    take_parameters(&a);
    if (options->stale == MF_STALE_CHECK)
        emit_stale_check(ir, a.function, a.site.v_view, input->fingerprint);
    if (plan->check == MF_CHECK_ALWAYS_FAULT)
        body_always_fault(&a);
    else if (emit_guarded_has_fault_edge(&a.site))
        body_with_fault_edge(&a);
    else
        body_without_fault_edge(&a);
    return a.function;
}
