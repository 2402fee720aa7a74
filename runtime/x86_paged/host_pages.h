/*
 * The host's permissions of guest pages, which equal those of the permission table except inside a backend
 * operation.
 *
 * The host may refuse any change of permissions, even one that takes rights away: Linux may need one mapping
 * more than it allows, a kernel one frame more than it has. What has been granted a moment before can be
 * insisted on.
 */
#ifndef MEMFOLD_RUNTIME_X86_PAGED_HOST_PAGES_H
#define MEMFOLD_RUNTIME_X86_PAGED_HOST_PAGES_H

#include "memory_impl.h"

/* The pages have `perm`. False if the host refuses; then some of them may have it. */
bool host_pages_try(const mf_memory *memory, page_run run, mf_perm perm);

/* The pages have `perm`. False if the host refuses; then they are as the permission table says. */
bool host_pages_set(const mf_memory *memory, page_run run, mf_perm perm);

/* The pages are as the permission table says, which they were a moment before. Panics if the host refuses. */
void host_pages_restore(const mf_memory *memory, page_run run);

/*
 * The same if any page of the memory may have changed since map_changes was `changes`. Else nothing is asked
 * of the host: one that refuses every change would refuse that too.
 */
void host_pages_restore_since(const mf_memory *memory, page_run run, unsigned long changes);

/*
 * The pages have `perm`, which they still have or had a moment before. True, like host_pages_try, as it
 * panics if the host refuses: to go on would let accesses through that the contract refuses, or the other way
 * round.
 */
bool host_pages_insist(const mf_memory *memory, page_run run, mf_perm perm);

/*
 * For pages that have `perm` on the host already, but not yet in the table, and whose bytes the host does not
 * take back: those that have been written are overwritten. False, and the pages have the table's permissions,
 * if the host does not let them be written.
 */
bool host_pages_zero_by_hand(const mf_memory *memory, page_run run, mf_perm perm);

/* As backend_ops.visit_written, for some of the pages. */
bool host_pages_visit_written(mf_memory *memory, page_run within, os_visit *visit, void *context);

#endif
