/* The perf map: "address size name" lines in /tmp/perf-<pid>.map, by which perf names code made at run time.
 */
#ifndef MEMFOLD_GEN_HOST_PERF_MAP_H
#define MEMFOLD_GEN_HOST_PERF_MAP_H

#include <memfold/accessors.h>
#include <memfold/status.h>

#include <stdio.h>

/* Opens this process's perf map for appending. MF_IO. */
mf_status perf_map_open(FILE **map, mf_diag *diag);

/* Appends a line for each accessor of the set. */
void perf_map_append(FILE *map, const char *prefix, const mf_accessors *set,
                     const uint64_t sizes_bytes[MF_ACCESSOR_COUNT]);

#endif
