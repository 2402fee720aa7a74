/* What a binding for another language compares itself with. */
#include <memfold/inline.h>
#include <memfold/jit.h>
#include <memfold/plan.h>
#include <memfold/stencil.h>
#include <memfold/version.h>

#define SIZE_OF(type) {#type, sizeof(type)}

const mf_abi_size *mf_jit_abi_sizes(void) {
    static const mf_abi_size SIZES[] = {
        SIZE_OF(mf_inline_need),      SIZE_OF(mf_inline_options),
        SIZE_OF(mf_inline_registers), SIZE_OF(mf_inline_result),
        SIZE_OF(mf_jit_config),       SIZE_OF(mf_plan),
        SIZE_OF(mf_plan_access),      SIZE_OF(mf_plan_step),
        SIZE_OF(mf_stencil_set),      {NULL, 0},
    };
    return SIZES;
}
