/* Who makes the code of the jit that is tested: LLVM, or with -DJIT_MAKER=NULL stencils. */
#ifndef MEMFOLD_TEST_JIT_MAKER_H
#define MEMFOLD_TEST_JIT_MAKER_H

#include <memfold/llvm_maker.h>

#ifndef JIT_MAKER
#define JIT_MAKER mf_llvm_maker()
#endif

#endif
