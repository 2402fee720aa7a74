/*
 * The windows of all paged memories in this process, so that a fault handler can tell whether a host address
 * lies in one of them without looking at any memory.
 *
 *      base                          base + 4 GiB                  base + 8 GiB + 4 KiB
 *  ... | guest pages 0 .. 2^20 - 1   | never accessible            | ...
 *  guard                                                             guard
 *
 * A window holds every byte that an access at a 33-bit index can touch, as the permission table does. Where
 * no access has such an index it may end behind the page above 4 GiB.
 */
#ifndef MEMFOLD_RUNTIME_X86_PAGED_WINDOWS_H
#define MEMFOLD_RUNTIME_X86_PAGED_WINDOWS_H

#include <memfold/abi.h>

#include <stdatomic.h>
#include <stdbool.h>

#define MF_WINDOW_BYTES ((uint64_t)MF_PERM_TABLE_PAGES * MF_PAGE_SIZE)

/* One window; its owner sets all but the link. */
typedef struct mf_window {
    uintptr_t start;
    uint64_t bytes; /* at most MF_WINDOW_BYTES */
    uint64_t space; /* which address space; 0 where there is one */
    bool is_user;   /* code of less privilege than the host's may access it */
    _Atomic(struct mf_window *) next;
} mf_window;

/*
 * Windows of different address spaces may overlap; add is false, and does nothing, if the window would
 * overlap one of its own. When remove returns nobody reads the window any more. Any thread; not in a signal
 * handler.
 */
bool mf_window_add(mf_window *window);
void mf_window_remove(mf_window *window);

/*
 * Whether a host address lies in any window; in one of this space that is the user's; and in one that begins
 * at `start`. Any thread; async-signal-safe.
 */
bool mf_window_is_around(uintptr_t host_address);
bool mf_window_of_user_is_around(uintptr_t host_address, uint64_t space);
bool mf_window_at_is_around(uintptr_t start, uintptr_t host_address);

#endif
