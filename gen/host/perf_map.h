/* The perf map: "address size name" lines in /tmp/perf-<pid>.map, by which perf names code made at run time.
 */
#ifndef MEMFOLD_GEN_HOST_PERF_MAP_H
#define MEMFOLD_GEN_HOST_PERF_MAP_H

#include <memfold/accessors.h>
#include <memfold/status.h>

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

/* All zero: there is none. */
typedef struct perf_map {
    FILE *file;
    pid_t process; /* whose map that is */
} perf_map;

/* Opens this process's perf map for appending. MF_IO; then `map` is as it was. */
mf_status perf_map_open(perf_map *map, mf_diag *diag);
void perf_map_close(perf_map *map);

/*
 * True if there is one, and it is this process's: the map of a process that has forked this one is left for
 * an own one, and without that there is none.
 */
bool perf_map_is_there(perf_map *map);

/* Appends a line for each accessor of the set to a map that is there. */
void perf_map_append(const perf_map *map, const char *prefix, const mf_accessors *set,
                     const uint64_t sizes_bytes[MF_ACCESSOR_COUNT]);

#endif
