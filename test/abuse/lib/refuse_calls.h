/*
 * A host that refuses: the n-th call that the library makes fails. The linker's --wrap gives what the library
 * and the test call to the functions in refuse_calls.c; what shared libraries call among themselves, LLVM and
 * the C library, is not refused, and so LLVM has all the memory that it wants.
 */
#ifndef MEMFOLD_TEST_REFUSE_CALLS_H
#define MEMFOLD_TEST_REFUSE_CALLS_H

#include <stdbool.h>
#include <stddef.h>

/* From the n-th call on, counted from 1, `count` calls are refused. */
void calls_refuse(unsigned n, unsigned count);

/*
 * No call is refused any more. Returns the name of the first that was, or NULL. Mappings that were not given
 * back, because that was refused, are now: nobody else can do that.
 */
const char *calls_allow(void);

/* Whether the call `name` is to be refused; for wrappers of other libraries. */
bool calls_is_refused(const char *name);

/* What the program has of the host. */
typedef struct host_holdings {
    size_t mapped_bytes; /* by mmap, here */
    size_t blocks;       /* of malloc and its kind, here */
    size_t descriptors;  /* open, in the whole process */
} host_holdings;

host_holdings calls_holdings(void);

#endif
