/* What the perf map says of an object's functions. */
#ifndef MEMFOLD_GEN_MAKER_PERF_H
#define MEMFOLD_GEN_MAKER_PERF_H

#include "host/perf_map.h"

#include <llvm-c/Types.h>

/* The sizes of the functions <prefix>_<accessor> in `object`; 0 for one that is not there. */
void perf_function_sizes(LLVMMemoryBufferRef object, const char *prefix,
                         uint64_t sizes_bytes[MF_ACCESSOR_COUNT]);

#endif
