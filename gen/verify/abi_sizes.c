/* What a binding for another language compares itself with. */
#include <memfold/object.h>
#include <memfold/sweep.h>
#include <memfold/verify.h>
#include <memfold/version.h>

#define SIZE_OF(type) {#type, sizeof(type)}

const mf_abi_size *mf_verify_abi_sizes(void) {
    static const mf_abi_size SIZES[] = {
        SIZE_OF(mf_counterexample),
        SIZE_OF(mf_object_note),
        SIZE_OF(mf_sweep_progress),
        SIZE_OF(mf_sweep_report),
        SIZE_OF(mf_sweep_request),
        SIZE_OF(mf_verify_limits),
        SIZE_OF(mf_verify_page),
        SIZE_OF(mf_verify_report),
        SIZE_OF(mf_verify_result),
        SIZE_OF(mf_verify_subject),
        {NULL, 0},
    };
    return SIZES;
}
