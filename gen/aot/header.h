/* The C header of an emitted object. */
#ifndef MEMFOLD_GEN_AOT_HEADER_H
#define MEMFOLD_GEN_AOT_HEADER_H

#include <memfold/aot.h>

/* Writes the header's text, malloc'ed, and its length. MF_OUT_OF_MEMORY, or a status of mf_plan_make. */
mf_status header_print(const mf_layout *layout, const mf_aot_options *options, char **bytes,
                       size_t *byte_count, mf_diag *diag);

#endif
