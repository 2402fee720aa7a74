/* What the kernel gave to mf_bare_start, for the files that ask it for something. */
#ifndef MEMFOLD_RUNTIME_X86_PAGED_BARE_HOST_H
#define MEMFOLD_RUNTIME_X86_PAGED_BARE_HOST_H

#include <memfold/bare.h>

/* NULL before mf_bare_start. */
const mf_bare_host *bare_host_get(void);

#endif
