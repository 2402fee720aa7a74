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
    /* A base of 0 is legal, so the null pointer is an address like any other. */
    static const ir_attribute NULL_IS_VALID[] = {{"null_pointer_is_valid", 0}, {NULL, 0}};
    LLVMTypeRef type = function_type(ir, info, options);
    LLVMValueRef function = LLVMAddFunction(ir->module, symbol, type);
    ir_add_function_attributes(ir, function, ALL);
    if (options->base != MF_BASE_VIEW)
        ir_add_function_attributes(ir, function, NULL_IS_VALID);
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

/* The index of a 32-bit address, at the builder's place. */
static void widen_address(accessor *a) {
    if (a->site.v_address != NULL)
        a->site.v_index = LLVMBuildZExt(a->ir->builder, a->site.v_address, a->ir->t_i64, "index");
}

/* ---- Paths ---- */

/* Access at the builder's place. */
static outcome path_access(accessor *a) {
    outcome done = {.v_status = ir_const(a->ir->t_i32, MF_FAULT_NONE)};
    if (a->site.info->operation == MF_LOAD)
        done.v_value = emit_access_load(a->ir, &a->site);
    else
        emit_access_store(a->ir, &a->site, a->v_value);
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

static void body_unchecked(accessor *a) {
    widen_address(a);
    a->site.v_base = emit_access_base(a->ir, &a->site);
    outcome done = path_access(a);
    build_return(a, &done, 1);
}

static void body_always_fault(accessor *a) {
    widen_address(a);
    outcome failed = path_fault(a);
    if (failed.block != NULL)
        build_return(a, &failed, 1);
}

static void body_checked(accessor *a) {
    const ir *ir = a->ir;
    LLVMBasicBlockRef b_access = ir_block_append(ir, a->function, "access");
    LLVMBasicBlockRef b_done = ir_block_append(ir, a->function, "done");
    LLVMBasicBlockRef b_fault = ir_block_append(ir, a->function, "fault");

    bool narrow = emit_check_is_narrow(&a->site);
    if (!narrow)
        widen_address(a);
    a->site.v_base = emit_access_base(ir, &a->site);
    emit_check check = emit_check_begin(ir, &a->site);
    LLVMValueRef v_ok = emit_check_holds(ir, &check);
    ir_branch_likely(ir, v_ok, b_access, b_fault);

    ir_block_enter(ir, b_fault);
    if (narrow)
        widen_address(a);
    outcome outcomes[2];
    outcomes[1] = path_fault(a);
    if (outcomes[1].block != NULL)
        LLVMBuildBr(ir->builder, b_done);

    ir_block_enter(ir, b_access);
    if (narrow)
        widen_address(a);
    if (a->site.options->spectre == MF_SPECTRE_MASK)
        a->site.v_index = emit_check_mask(ir, &check, a->site.v_index);
    outcomes[0] = path_access(a);
    LLVMBuildBr(ir->builder, b_done);

    ir_block_enter(ir, b_done);
    build_return(a, outcomes, outcomes[1].block != NULL ? 2 : 1);
}

LLVMValueRef emit_accessor(const ir *ir, const mf_plan *plan, const mf_accessor_options *options,
                           uint64_t fingerprint, const char *symbol) {
    const mf_accessor_info *info = mf_accessor_info_get(plan->accessor);
    accessor a = {.ir = ir, .site = {.plan = plan, .info = info, .options = options}};
    a.function = define_function(ir, info, options, symbol);
    char block_name[64];
    snprintf(block_name, sizeof block_name, "check.%s", mf_check_name(plan->check));
    ir_block_enter(ir, ir_block_append(ir, a.function, block_name));
    take_parameters(&a);
    if (options->stale == MF_STALE_CHECK)
        emit_stale_check(ir, a.function, a.site.v_view, fingerprint);
    if (plan->check == MF_CHECK_ALWAYS_ALLOWED)
        body_unchecked(&a);
    else if (plan->check == MF_CHECK_ALWAYS_FAULT)
        body_always_fault(&a);
    else
        body_checked(&a);
    return a.function;
}
