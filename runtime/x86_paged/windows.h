/*
 * The windows of all paged memories in this process, so that a fault handler can tell whether a host address
 * lies in one of them without looking at any memory.
 *
 *      base                          base + 4 GiB                  base + 8 GiB + 4 KiB
 *  ... | guest pages 0 .. 2^20 - 1   | never accessible            | ...
 *  guard                                                             guard
 *
 * A window holds every byte that an access at a 33-bit index can touch, as the permission table does.
 */
#ifndef MEMFOLD_RUNTIME_X86_PAGED_WINDOWS_H
#define MEMFOLD_RUNTIME_X86_PAGED_WINDOWS_H

#include <memfold/abi.h>

#include <stdbool.h>

#define MF_WINDOW_BYTES ((uint64_t)MF_PERM_TABLE_PAGES * MF_PAGE_SIZE)

/* Windows do not overlap. False if the host address is none of a 47-bit address space. Any thread. */
bool mf_window_add(const unsigned char *base);
void mf_window_remove(const unsigned char *base);

/* The base of the window around a host address, NULL if there is none. Any thread; async-signal-safe. */
const unsigned char *mf_window_find(uintptr_t host_address);

#endif
