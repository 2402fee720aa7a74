/* The layout that a memory has now. mf_memory_layout (memory.h) asks for it. */
#ifndef MEMFOLD_RUNTIME_LIVE_LAYOUT_H
#define MEMFOLD_RUNTIME_LIVE_LAYOUT_H

#include <memfold/memory.h>

/* The permissions have changed: the layout is not known until it is asked for, and every fingerprint is 0. */
void live_layout_drop(mf_memory *memory);

#endif
