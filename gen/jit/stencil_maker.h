/*
 * Stencils as the maker of a jit's code: sets are copied and filled into an arena. What mf_jit_config.maker
 * NULL means.
 */
#ifndef MEMFOLD_GEN_JIT_STENCIL_MAKER_H
#define MEMFOLD_GEN_JIT_STENCIL_MAKER_H

#include "jit/maker.h"

extern const mf_code_maker stencil_maker;

#endif
