/* A layout, its bytes and a script as C: what script_pack.c writes and run_script.c runs. */
#ifndef MEMFOLD_TEST_BARE_PACKED_H
#define MEMFOLD_TEST_BARE_PACKED_H

#include "run/script.h"

#include <memfold/layout.h>

typedef struct packed_region {
    mf_region region;
    const unsigned char *bytes; /* all of them, or NULL: zero */
} packed_region;

extern const packed_region packed_regions[];
extern const size_t packed_region_count;
extern const mf_heap packed_heap;
extern const run_script packed_script;

#endif
