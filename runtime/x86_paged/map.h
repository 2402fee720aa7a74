/* What the paged backend asks of the host: verbs on the pages of a reservation. */
#ifndef MEMFOLD_RUNTIME_X86_PAGED_MAP_H
#define MEMFOLD_RUNTIME_X86_PAGED_MAP_H

#include "os.h"
#include "pages.h"

/* A reservation (reservations.h) without any accessible page, on Linux between guard pages. */
typedef struct map map;

/*
 * `perms` are the live permissions of its pages; `bytes` is how long the reservation is, or what a kernel is
 * asked for. NULL if there is no memory or address space. close(NULL) is fine.
 */
map *map_open(const unsigned char *perms, uint64_t bytes, bool allow_huge_pages);
void map_close(map *map);

/* From now on the host may use huge pages, if they were allowed when it was opened. */
void map_allow_huge_pages(map *map);

/* The host address of guest address 0, which may be 0. */
unsigned char *map_base(const map *map);

/* The CPU lets these pages be accessed by `perm`. If not all could be set, some may have been. */
bool map_protect(map *map, page_run run, mf_perm perm);

/* Grows with each map_protect that has, or may have, changed a page. */
unsigned long map_changes(const map *map);

/*
 * The host has all that it may run out of when these pages get permissions, or false. Unreserve takes back
 * what has not been used since.
 */
bool map_reserve(map *map, page_run run);
void map_unreserve(map *map, page_run run);

/*
 * The pages, which are read-write, can be written without the host having to find anything for them. False,
 * and nothing has changed, if it has not.
 */
bool map_populate(map *map, page_run run);

/* Whether the CPU lets all of these pages be accessed by exactly `perm` now. Slow; false if unknown. */
bool map_has(map *map, page_run run, mf_perm perm);

/* The pages are zero and go back to the host, whatever their permission. False: their bytes are kept. */
bool map_drop(map *map, page_run run);

/*
 * The pages, which could not be accessed, are read-write and zero, and whoever could access one before this
 * returns found it zero. False: nothing has changed.
 */
bool map_renew(map *map, page_run run);

/* As os_copy, of pages that may be read in `from` and written in `to`. */
void map_copy(map *to, map *from, page_run run, os_copy_mode mode);

/*
 * The pages are a mapping of these bytes (os.h), or zero and as before any permission, with `perm`. False:
 * they are as they were, or, if the host has neither old nor new ones to give, zero.
 */
bool map_image(map *map, page_run run, mf_perm perm, const os_shared *shared, size_t offset);
bool map_zero(map *map, page_run run, mf_perm perm);

/* As os_visit_written, for the pages; offsets are from the first of them on. */
bool map_visit_written(map *map, page_run run, os_visit *visit, os_visit *visit_zero, void *context);

#endif
