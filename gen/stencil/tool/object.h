/* What an object's functions and relocations say, as stencils. */
#ifndef MEMFOLD_GEN_STENCIL_TOOL_OBJECT_H
#define MEMFOLD_GEN_STENCIL_TOOL_OBJECT_H

#include "stencil/table.h"

#include <memfold/status.h>

/* Stencils as they grow; what is the same is there once. */
typedef struct made_table {
    unsigned char *code;
    stencil_hole *holes;
    stencil *stencils;
    uint32_t code_bytes;
    uint32_t hole_count;
    uint32_t stencil_count;
    uint32_t *of_listed; /* the stencil of each entry of the list */
    size_t listed_count;
} made_table;

/*
 * Fills an empty table from an object with so many functions (emit.h); the caller frees it by fini, also
 * after a failure. MF_LLVM for a relocation that is no hole, or one that cannot hold its range;
 * MF_OUT_OF_MEMORY.
 */
mf_status made_table_read(made_table *made, const void *object, size_t object_bytes, size_t listed_count,
                          mf_diag *diag);
void made_table_fini(made_table *made);

#endif
