/* The perf map: "address size name" lines in /tmp/perf-<pid>.map, by which perf names code made at run time.
 */
#ifndef MEMFOLD_GEN_MAKER_PERF_H
#define MEMFOLD_GEN_MAKER_PERF_H

#include <memfold/accessors.h>
#include <memfold/status.h>

#include <llvm-c/Types.h>

#include <stdio.h>

/* Opens this process's perf map for appending. MF_IO. */
mf_status perf_map_open(FILE **map, mf_diag *diag);

/* The sizes of the functions <prefix>_<accessor> in `object`; 0 for one that is not there. */
void perf_function_sizes(LLVMMemoryBufferRef object, const char *prefix,
                         uint64_t sizes_bytes[MF_ACCESSOR_COUNT]);

/* Appends a line for each accessor of the set. */
void perf_map_append(FILE *map, const char *prefix, const mf_accessors *set,
                     const uint64_t sizes_bytes[MF_ACCESSOR_COUNT]);

#endif
