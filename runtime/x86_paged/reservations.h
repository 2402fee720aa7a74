/*
 * The reservations of all paged memories in this process, so that a fault handler can tell whether a host
 * address lies in one of them without looking at any memory.
 *
 *      base                          base + 4 GiB                  base + 8 GiB + 4 KiB
 *  ... | guest pages 0 .. 2^20 - 1   | never accessible            | ...
 *  guard pages                                                       guard pages
 *
 * A reservation is the host addresses of every byte that an access at a 33-bit index can touch; the
 * permission table has an entry for each of its pages. Where no access has such an index it ends behind
 * the page above 4 GiB, or behind the largest offset that embedded code may add.
 */
#ifndef MEMFOLD_RUNTIME_X86_PAGED_RESERVATIONS_H
#define MEMFOLD_RUNTIME_X86_PAGED_RESERVATIONS_H

#include <memfold/memory.h>

#include <stdbool.h>
#include <stdint.h>

#define RESERVATION_BYTES ((uint64_t)MF_PERM_TABLE_PAGES * MF_PAGE_SIZE)
#define RESERVATION_U32_BYTES (MF_SPACE_BYTES + MF_MEMORY_U32_OFFSET_MAX + MF_PAGE_SIZE)

typedef struct reservation {
    uintptr_t start;
    uint64_t bytes;             /* at most RESERVATION_BYTES */
    uint64_t space;             /* which address space; 0 where there is one */
    bool is_user;               /* code of less privilege than the host's may access it */
    const unsigned char *perms; /* the live permissions of its pages */
} reservation;

/*
 * Reservations of different address spaces may overlap. Add is false, and does nothing, if this one would
 * overlap another of its own space, or without memory. Remove takes what was added. Any thread; not in a
 * signal handler.
 */
bool reservation_overlaps(const reservation *r);
bool reservation_add(const reservation *r);
void reservation_remove(const reservation *r);

/*
 * Whether a host address lies in any reservation; in one of this space that is the user's; and in one that
 * begins at `start`. Any thread; async-signal-safe.
 */
bool reservation_contains(uintptr_t host_address);
bool reservation_of_user_contains(uintptr_t host_address, uint64_t space);
bool reservation_at_contains(uintptr_t start, uintptr_t host_address);

/* The same as reservation_contains, and which one; of several, in different spaces, any. */
bool reservation_find(uintptr_t host_address, reservation *found);

#endif
