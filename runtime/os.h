/*
 * Everything the runtime asks of an operating system: verbs, no types. A host without one supplies these
 * functions and setjmp, and the rest of the runtime compiles freestanding.
 */
#ifndef MEMFOLD_RUNTIME_OS_H
#define MEMFOLD_RUNTIME_OS_H

#include <memfold/abi.h>

#include <stdbool.h>
#include <stddef.h>

/* Small objects. Zeroed; NULL if there is no memory. free(NULL) is fine. */
void *mf_os_allocate(size_t bytes);
void mf_os_free(void *object);

/*
 * Address space: reserved space is inaccessible and costs nothing; committed space reads as zero and
 * costs only the pages that have been written. `bytes` is what was reserved. release(NULL) is fine.
 */
void *mf_os_reserve(size_t bytes);
bool mf_os_commit(void *space, size_t bytes);
void mf_os_release(void *space, size_t bytes);

/* Committed space reads as zero again, and its pages go back to the host where they can. */
void mf_os_zero(void *space, size_t bytes);

/* Copies committed space; `to` reads as zero before. Pages that hold only zeros are not written. */
void mf_os_copy_nonzero(void *to, const void *from, size_t bytes);

/* Where the default panic hook writes its line, and how a panic ends. */
void mf_os_print(const char *line);
MF_NORETURN void mf_os_abort(void);

#endif
