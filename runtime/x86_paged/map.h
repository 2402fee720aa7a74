/* What the paged backend asks of the host: verbs on the pages of a window. */
#ifndef MEMFOLD_RUNTIME_X86_PAGED_MAP_H
#define MEMFOLD_RUNTIME_X86_PAGED_MAP_H

#include "os.h"
#include "pages.h"

/* A window without any accessible page, guarded on both sides, which windows.h knows. */
typedef struct mf_map mf_map;

/* NULL if there is no memory or address space. close(NULL) is fine. */
mf_map *mf_map_open(bool allow_huge_pages);
void mf_map_close(mf_map *map);

/* The host address of guest address 0, which may be 0. */
unsigned char *mf_map_base(const mf_map *map);

/* The CPU lets these pages be accessed by `perm`. If not all could be set, some may have been. */
bool mf_map_protect(mf_map *map, mf_page_run run, mf_perm perm);

/*
 * The host has all that it may run out of when these pages get permissions, or false. Unreserve takes back
 * what has not been used since.
 */
bool mf_map_reserve(mf_map *map, mf_page_run run);
void mf_map_unreserve(mf_map *map, mf_page_run run);

/* Whether the CPU lets all of these pages be accessed by `perm` now, and no further. Slow; false if unknown.
 */
bool mf_map_has(mf_map *map, mf_page_run run, mf_perm perm);

/* The pages are zero and go back to the host, whatever their permission. False: their bytes are kept. */
bool mf_map_drop(mf_map *map, mf_page_run run);

/* Copies pages that may be read in `from` and written in `to`, where they are zero. */
void mf_map_copy(mf_map *to, mf_map *from, mf_page_run run);

/* As mf_os_visit_written, for the first `bytes` of the window; offsets are guest addresses. */
bool mf_map_visit_written(mf_map *map, uint64_t bytes, mf_os_visit *visit, void *context);

#endif
