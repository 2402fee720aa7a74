/* The prefix that a client chooses for the symbols of a set. */
#ifndef MEMFOLD_GEN_PLAN_PREFIX_H
#define MEMFOLD_GEN_PLAN_PREFIX_H

#include <memfold/status.h>

/* No linker and no format of objects needs a limit; this one is above all names that people write. */
#define PREFIX_BYTES_MAX 128

/* MF_INVALID_ARGUMENT if `prefix` is NULL, no C identifier, or longer than PREFIX_BYTES_MAX. */
mf_status prefix_validate(const char *prefix, mf_diag *diag);

#endif
