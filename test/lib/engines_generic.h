/* What engine tables with an operating system have in common: the accessors in plain C. */
#ifndef MEMFOLD_TEST_ENGINES_GENERIC_H
#define MEMFOLD_TEST_ENGINES_GENERIC_H

#include "engines.h"

#include <memfold/generic.h>

static bool generic_serves(const mf_accessor_options *options) {
    return mf_generic_accessors(options) != NULL;
}

static engine_code generic_acquire(mf_memory *memory, const mf_accessor_options *options) {
    (void)memory;
    return (engine_code){.set = mf_generic_accessors(options)};
}

static void generic_release(engine_code code) {
    (void)code;
}

#endif
