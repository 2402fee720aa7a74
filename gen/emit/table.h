/* Constant data on its way into modules of one context. */
#ifndef MEMFOLD_GEN_EMIT_TABLE_H
#define MEMFOLD_GEN_EMIT_TABLE_H

#include "ir/ir.h"
#include "plan/tables.h"

typedef struct emit_table {
    LLVMValueRef v_bytes; /* the context's; NULL if there are none */
    char name[40];
} emit_table;

emit_table emit_table_make(const ir *ir, const plan_table *table);

/*
 * Defines the data in the module, private to it, unless it is there: once for all that read the same. NULL if
 * there are no bytes. Where passes have dropped it, it comes back.
 */
LLVMValueRef emit_table_place(const ir *ir, const emit_table *table);

#endif
