/* The load or store itself, at base + index. */
#ifndef MEMFOLD_GEN_INLINE_ACCESS_H
#define MEMFOLD_GEN_INLINE_ACCESS_H

#include "inline/writer.h"

/* Writes the access, or where the check stands alone what makes the index 64 bits, and notes where it is. */
void inline_access(inline_writer *w);

#endif
