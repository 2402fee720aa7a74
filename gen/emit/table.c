#include "emit/table.h"

#include <inttypes.h>
#include <stdio.h>

/* FNV-1a. */
static uint64_t hash_of(const plan_table *table) {
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < table->byte_count; i++)
        hash = (hash ^ table->bytes[i]) * UINT64_C(0x100000001b3);
    return hash;
}

emit_table emit_table_make(const ir *ir, const plan_table *table) {
    emit_table made = {0};
    if (table->byte_count == 0)
        return made;
    made.v_bytes =
        LLVMConstStringInContext2(ir->context, (const char *)table->bytes, table->byte_count, true);
    snprintf(made.name, sizeof made.name, "memfold.granules.%016" PRIx64, hash_of(table));
    return made;
}

/*
 * A constant is one value in its context, so two tables are the same exactly if their initializers are. Its
 * address counts, as far as LLVM knows: small ones would otherwise be in sections whose contents linkers
 * merge.
 */
LLVMValueRef emit_table_place(const ir *ir, const emit_table *table) {
    if (table->v_bytes == NULL)
        return NULL;
    LLVMValueRef v_known = LLVMGetNamedGlobal(ir->module, table->name);
    if (v_known != NULL && LLVMGetInitializer(v_known) == table->v_bytes)
        return v_known;
    LLVMValueRef v_global = LLVMAddGlobal(ir->module, LLVMTypeOf(table->v_bytes), table->name);
    LLVMSetInitializer(v_global, table->v_bytes);
    LLVMSetGlobalConstant(v_global, true);
    LLVMSetLinkage(v_global, LLVMPrivateLinkage);
    LLVMSetAlignment(v_global, 64);
    return v_global;
}
