/* All accessors of one layout, and the table that holds them. */
#include "emit/emit.h"

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

static mf_status define_accessor(const ir *ir, const mf_layout *layout, const mf_accessor_options *options,
                                 const char *prefix, mf_accessor_id id, LLVMValueRef *function,
                                 mf_diag *diag) {
    mf_plan plan;
    mf_status status = mf_plan_make(layout, id, options, &plan, diag);
    if (status != MF_OK)
        return status;
    char *symbol = symbol_make(prefix, mf_accessor_info_get(id)->name);
    if (symbol == NULL)
        return mf_diag_set(diag, MF_OUT_OF_MEMORY, 0, "no memory for a symbol name");
    *function = emit_accessor(ir, &plan, options, mf_layout_fingerprint(layout), symbol);
    free(symbol);
    return MF_OK;
}

/* mf_accessors is MF_ACCESSOR_COUNT function pointers in the order of mf_accessor_id. */
static mf_status define_table(const ir *ir, LLVMValueRef *functions, const char *prefix, mf_diag *diag) {
    char *symbol = symbol_make(prefix, "accessors");
    if (symbol == NULL)
        return mf_diag_set(diag, MF_OUT_OF_MEMORY, 0, "no memory for a symbol name");
    LLVMValueRef v_table = LLVMConstArray2(ir->t_ptr, functions, MF_ACCESSOR_COUNT);
    LLVMValueRef global = LLVMAddGlobal(ir->module, LLVMTypeOf(v_table), symbol);
    LLVMSetInitializer(global, v_table);
    LLVMSetGlobalConstant(global, true);
    free(symbol);
    return MF_OK;
}

mf_status emit_set(const ir *ir, const mf_layout *layout, const mf_accessor_options *options,
                   const char *prefix, mf_diag *diag) {
    LLVMValueRef functions[MF_ACCESSOR_COUNT];
    for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++) {
        mf_status status = define_accessor(ir, layout, options, prefix, id, &functions[id], diag);
        if (status != MF_OK)
            return status;
    }
    return define_table(ir, functions, prefix, diag);
}
