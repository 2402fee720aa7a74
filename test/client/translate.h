/* From a region to one LLVM function: guest_exit f(guest_state *, mf_view *). */
#ifndef CLIENT_TRANSLATE_H
#define CLIENT_TRANSLATE_H

#include "region.h"

#include <memfold/embed.h>

#include <llvm-c/Core.h>

typedef uint32_t guest_code(guest_state *state, mf_view *view);

/*
 * Defines `name` in `module`. It may be called when state->pc is an entry of the region, comes back at the
 * first instruction that it does not have, and has then written state->pc and, unless the guest faulted, the
 * registers.
 */
mf_status translate(LLVMModuleRef module, const char *name, const guest *g, const region *r,
                    const mf_accessor_options *options, mf_diag *diag);

#endif
