/*
 * Where permission tables lie. On a host with address space many share one mapping, because a process may
 * have only so many of them; a kernel allocates each.
 */
#ifndef MEMFOLD_RUNTIME_PERM_SPACE_H
#define MEMFOLD_RUNTIME_PERM_SPACE_H

#include <stdbool.h>

/* Room for one table; all zero: none. */
typedef struct perm_space {
    unsigned char *bytes; /* MF_PERM_TABLE_PAGES of them */
    struct slab *slab;    /* where they are from */
} perm_space;

/* Writes room for a table that is zero. False without memory or address space. Any thread. */
bool perm_space_take(perm_space *space);

/* What was taken, zero again, is the next one's. All zero does nothing. */
void perm_space_give(perm_space space);

#endif
