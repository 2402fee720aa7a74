/* All accessors of one layout, and the table that holds them. */
#include "emit/set.h"

#include "emit/accessor.h"
#include "emit/table.h"
#include "plan/growth.h"

#include <memfold/exception_table.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "<prefix>_<name>", malloc'ed; NULL if the host has no memory. */
static char *symbol_make(const char *prefix, const char *name) {
    size_t bytes = strlen(prefix) + 1 + strlen(name) + 1;
    char *symbol = malloc(bytes);
    if (symbol != NULL)
        snprintf(symbol, bytes, "%s_%s", prefix, name);
    return symbol;
}

static uint64_t find_heap_end_most(const plan_set *plans) {
    uint64_t most = MF_SPACE_BYTES;
    for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++) {
        uint64_t of_plan = plan_heap_end_most(&plans->plans[id]);
        most = of_plan < most ? of_plan : most;
    }
    return most;
}

mf_status emit_functions(ir *ir, const emit_input *input, LLVMValueRef functions[MF_ACCESSOR_COUNT],
                         mf_diag *diag) {
    const plan_set *plans = input->plans;
    ir->heap_end_most = find_heap_end_most(plans);
    emit_table tables[] = {emit_table_make(ir, &plans->tables[MF_LOAD]),
                           emit_table_make(ir, &plans->tables[MF_STORE])};
    LLVMValueRef v_tables[] = {emit_table_place(ir, &tables[MF_LOAD]),
                               emit_table_place(ir, &tables[MF_STORE])};
    for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++) {
        char *symbol = symbol_make(input->prefix, mf_accessor_info_get(id)->name);
        if (symbol == NULL)
            return mf_diag_set(diag, MF_OUT_OF_MEMORY, 0, "no memory for a symbol name");
        LLVMValueRef v_table = v_tables[mf_accessor_info_get(id)->operation];
        functions[id] =
            emit_accessor(ir, &plans->plans[id], input->options, input->asks_for_table, v_table, symbol);
        free(symbol);
    }
    return MF_OK;
}

/* A paged access with a fault edge in the code has an entry. */
static bool has_entry(const mf_plan *plan) {
    return mf_plan_has_step(plan, MF_STEP_MMU) && mf_plan_has_fault_edge(plan);
}

size_t emit_entry_count(const emit_input *input) {
    size_t count = 0;
    for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++)
        count += has_entry(&input->plans->plans[id]);
    return count;
}

/*
 * A label where this module's part of the exception table begins; module assembly comes first. Weak, because
 * bitcode that clang links into several files of a program brings the label into each.
 */
static mf_status define_exception_label(const ir *ir, const char *prefix, mf_diag *diag) {
    static const char FORMAT[] = ".pushsection " MF_EXCEPTION_SECTION ",\"aR\",@progbits\n"
                                 ".balign 4\n.weak %s_extable\n%s_extable:\n.popsection\n";
    size_t text_bytes = sizeof FORMAT + 2 * strlen(prefix);
    char *text = malloc(text_bytes);
    if (text == NULL)
        return mf_diag_set(diag, MF_OUT_OF_MEMORY, 0, "no memory for a symbol name");
    int length = snprintf(text, text_bytes, FORMAT, prefix, prefix);
    LLVMAppendModuleInlineAsm(ir->module, text, (size_t)length);
    free(text);
    return MF_OK;
}

/* mf_accessors is MF_ACCESSOR_COUNT function pointers in the order of mf_accessor_id, and what they fit. */
static mf_status define_table(const ir *ir, LLVMValueRef *functions, const emit_input *input, mf_diag *diag) {
    char *symbol = symbol_make(input->prefix, "accessors");
    if (symbol == NULL)
        return mf_diag_set(diag, MF_OUT_OF_MEMORY, 0, "no memory for a symbol name");
    LLVMValueRef v_functions = LLVMConstArray2(ir->t_ptr, functions, MF_ACCESSOR_COUNT);
    LLVMValueRef v_stamp = ir_const(ir->t_i64, input->fit.layout_stamp);
    LLVMValueRef v_backends = ir_const(ir->t_i32, input->fit.backends);
    LLVMValueRef v_policy = ir_const(ir->t_i32, input->fit.policy);
    LLVMValueRef members[] = {v_functions, v_stamp, v_backends, v_policy};
    LLVMValueRef v_table = LLVMConstStructInContext(ir->context, members, 4, false);
    LLVMValueRef v_global = LLVMAddGlobal(ir->module, LLVMTypeOf(v_table), symbol);
    LLVMSetInitializer(v_global, v_table);
    LLVMSetGlobalConstant(v_global, true);
    free(symbol);
    return MF_OK;
}

mf_status emit_set(ir *ir, const emit_input *input, mf_diag *diag) {
    LLVMValueRef functions[MF_ACCESSOR_COUNT];
    mf_status status = emit_functions(ir, input, functions, diag);
    if (status == MF_OK && emit_entry_count(input) > 0)
        status = define_exception_label(ir, input->prefix, diag);
    return status == MF_OK ? define_table(ir, functions, input, diag) : status;
}
