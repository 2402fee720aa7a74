/* What the kernel says of a paged memory. A file of its own: <unistd.h> and reference_compare.h both name an
 * `access`. */
#ifndef MEMFOLD_TEST_HOST_AGREES_H
#define MEMFOLD_TEST_HOST_AGREES_H

#include <memfold/memory.h>

/* The host's permission of every page of the window is the table's, and nothing above 4 GiB is accessible. */
void expect_host_permissions(mf_memory *memory);

#endif
