/*
 * Parts that are an accessor's end are emitted as accessors: whose plan allows everything, is asked by the
 * MMU, or refuses everything. A check is a function that ends in calls of what follows it, with the arguments
 * that it got; LLVM makes jumps of them, because nothing is left to be done.
 */
#include "stencil/tool/emit.h"

#include "emit/accessor.h"
#include "emit/check.h"
#include "emit/cold.h"
#include "emit/mask.h"
#include "ir/target.h"
#include "stencil/table.h"

#include <llvm-c/Analysis.h>

#include <stdio.h>

/* ---- Jumps ---- */

static const char *place_symbol(stencil_place place) {
    static const char *const SYMBOLS[] = STENCIL_PLACE_SYMBOLS;
    return SYMBOLS[place];
}

/* Goes on at a place with these arguments, in the registers of the C ABI in their order. */
static void build_jump(const ir *ir, stencil_place place, LLVMValueRef *arguments, unsigned count) {
    LLVMTypeRef parameters[4];
    for (unsigned i = 0; i < count; i++)
        parameters[i] = LLVMTypeOf(arguments[i]);
    LLVMTypeRef t_function = LLVMFunctionType(ir->t_void, parameters, count, false);
    LLVMValueRef f_place = LLVMGetNamedFunction(ir->module, place_symbol(place));
    if (f_place == NULL) {
        f_place = LLVMAddFunction(ir->module, place_symbol(place), t_function);
        LLVMSetVisibility(f_place, LLVMHiddenVisibility);
    }
    LLVMValueRef v_call = LLVMBuildCall2(ir->builder, t_function, f_place, arguments, count, "");
    LLVMSetTailCallKind(v_call, LLVMTailCallKindTail);
    LLVMBuildRetVoid(ir->builder);
}

static LLVMValueRef define(const ir *ir, const char *symbol, LLVMTypeRef *parameters, unsigned count) {
    LLVMTypeRef t_function = LLVMFunctionType(ir->t_void, parameters, count, false);
    LLVMValueRef f = LLVMAddFunction(ir->module, symbol, t_function);
    ir_block_enter(ir, ir_block_append(ir, f, "check"));
    return f;
}

/* ---- Stamps ---- */

/* Whatever the arguments are, they go on. */
static void emit_stamp(const ir *ir, const listed *entry, const char *symbol) {
    static const emit_holes HOLES = {0};
    LLVMTypeRef parameters[] = {ir->t_ptr, ir->t_i64, ir->t_i64, ir->t_i64};
    LLVMValueRef arguments[4];
    LLVMValueRef f = define(ir, symbol, parameters, 4);
    LLVMGetParams(f, arguments);
    emit_site site = {
        .plan = &entry->plan, .options = &entry->options, .holes = &HOLES, .v_view = arguments[0]};
    const mf_plan_step *step = &entry->plan.steps[0];
    emit_same_stamp(ir, &site, step);
    build_jump(ir, STENCIL_PLACE_REST, arguments, 4);
}

/* ---- Checks ---- */

/* The table is data behind the code, which nobody defines here. */
static LLVMValueRef table_of(const ir *ir, const mf_plan *plan) {
    if (!mf_plan_has_step(plan, MF_STEP_TABLE_BYTE) && !mf_plan_has_step(plan, MF_STEP_TABLE_BIT))
        return NULL;
    LLVMValueRef v_table = LLVMGetNamedGlobal(ir->module, place_symbol(STENCIL_PLACE_TABLE));
    if (v_table != NULL)
        return v_table;
    v_table = LLVMAddGlobal(ir->module, ir->t_i8, place_symbol(STENCIL_PLACE_TABLE));
    LLVMSetVisibility(v_table, LLVMHiddenVisibility);
    LLVMSetGlobalConstant(v_table, true);
    LLVMSetAlignment(v_table, 64);
    return v_table;
}

/* view, [base,] address or index, what may be a value */
static void emit_check_of(const ir *ir, const listed *entry, const char *symbol) {
    const mf_plan *plan = &entry->plan;
    emit_holes holes = {.wide = entry->wide};
    bool has_base = entry->options.base == MF_BASE_ARGUMENT;
    bool is_u33 = plan->index == MF_INDEX_U33;
    unsigned place = has_base ? 2 : 1;
    LLVMTypeRef parameters[] = {ir->t_ptr, ir->t_ptr, ir->t_i64, ir->t_i64};
    LLVMValueRef arguments[4];
    parameters[place] = is_u33 ? ir->t_i64 : ir->t_i32;
    parameters[place + 1] = ir->t_i64;
    LLVMValueRef f = define(ir, symbol, parameters, place + 2);
    LLVMGetParams(f, arguments);
    emit_site site = {.plan = plan,
                      .options = &entry->options,
                      .holes = &holes,
                      .v_view = arguments[0],
                      .v_address = is_u33 ? NULL : arguments[place],
                      .v_index = is_u33 ? arguments[place] : NULL,
                      .v_table = table_of(ir, plan)};
    LLVMBasicBlockRef b_fault = ir_block_append(ir, f, "fault");
    LLVMValueRef v_index = emit_check_is_narrow(&site) ? NULL : emit_index(ir, &site);
    emit_check check = emit_check_steps(ir, &site, 0, v_index, b_fault);
    const mf_plan_step *end = &plan->steps[plan->step_count - 1];
    LLVMValueRef v_asked = arguments[place];
    if (end->kind == MF_STEP_MASK) {
        if (v_index == NULL)
            v_index = emit_index(ir, &site);
        arguments[place] = emit_mask(ir, &site, end, &check, v_index);
    }
    build_jump(ir, STENCIL_PLACE_ACCESS, arguments, place + 2);
    ir_block_enter(ir, b_fault);
    arguments[place] = v_asked;
    build_jump(ir, STENCIL_PLACE_FAULT, arguments, place + 2);
}

/* ---- All ---- */

static void emit_listed(const ir *ir, const listed *entry, size_t place) {
    char symbol[32];
    snprintf(symbol, sizeof symbol, EMITTED_PREFIX "%zu", place);
    emit_holes holes = {.wide = entry->wide};
    switch (entry->kind) {
    case LISTED_STAMP:
        emit_stamp(ir, entry, symbol);
        break;
    case LISTED_ACCESSOR:
        emit_accessor_with_holes(ir, &entry->plan, &entry->options, &holes, symbol);
        break;
    case LISTED_CHECK:
        emit_check_of(ir, entry, symbol);
        break;
    }
}

/*
 * As for objects that are made ahead of time: code that a kernel can use. The runtime is reached through
 * addresses that lie with the code, wherever that is.
 */
static void set_attributes(const ir *ir) {
    static const ir_attribute DEFINED[] = {
        {"nounwind", 0}, {"noredzone", 0}, {"noimplicitfloat", 0}, {NULL, 0}};
    static const ir_attribute DECLARED[] = {{"nonlazybind", 0}, {NULL, 0}};
    for (LLVMValueRef f = LLVMGetFirstFunction(ir->module); f != NULL; f = LLVMGetNextFunction(f))
        ir_add_function_attributes(ir, f, LLVMIsDeclaration(f) ? DECLARED : DEFINED);
}

static mf_status compile(LLVMTargetMachineRef machine, LLVMModuleRef module, LLVMBuilderRef builder,
                         const list *l, LLVMMemoryBufferRef *object, mf_diag *diag) {
    ir ir;
    char *broken = NULL;
    mf_status status = ir_init(&ir, module, builder, diag);
    if (status != MF_OK)
        return status;
    for (size_t i = 0; i < l->count; i++)
        emit_listed(&ir, &l->entries[i], i);
    set_attributes(&ir);
    if (LLVMVerifyModule(module, LLVMReturnStatusAction, &broken))
        status = mf_diag_set(diag, MF_LLVM, 0, "the stencils are no valid module: %s", broken);
    LLVMDisposeMessage(broken);
    return status == MF_OK ? target_compile(machine, module, LLVMObjectFile, object, diag) : status;
}

mf_status stencils_emit(const list *l, LLVMMemoryBufferRef *object, mf_diag *diag) {
    mf_diag error;
    LLVMTargetMachineRef machine;
    mf_status status = target_create("x86_64-unknown-linux-gnu", &machine, diag);
    if (status != MF_OK)
        return status;
    LLVMContextRef context = target_context_create(&error);
    LLVMModuleRef module = target_module_create(machine, context, "stencils");
    LLVMBuilderRef builder = LLVMCreateBuilderInContext(context);
    status = compile(machine, module, builder, l, object, diag);
    LLVMDisposeBuilder(builder);
    LLVMDisposeModule(module);
    LLVMContextDispose(context);
    LLVMDisposeTargetMachine(machine);
    return status;
}
