/* The table as C. */
#ifndef MEMFOLD_GEN_STENCIL_TOOL_PRINT_H
#define MEMFOLD_GEN_STENCIL_TOOL_PRINT_H

#include "stencil/tool/list.h"
#include "stencil/tool/object.h"

#include <stdio.h>

/* Writes a source file that defines STENCIL_TABLE; returns the bytes that it takes in memory, 0 if writing
 * failed. */
size_t table_print(FILE *file, const list *l, const made_table *made);

#endif
