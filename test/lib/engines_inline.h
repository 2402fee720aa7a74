/* Accessors made of inline code: a client with an assembler of its own, as small as it can be. */
#ifndef MEMFOLD_TEST_ENGINES_INLINE_H
#define MEMFOLD_TEST_ENGINES_INLINE_H

#include "engines.h"

bool inline_serves(const mf_accessor_options *options);
bool paged_inline_serves(const mf_accessor_options *options);
engine_code inline_acquire(mf_memory *memory, const mf_accessor_options *options);
void inline_release(engine_code code);

#endif
