/* What a binding for another language compares itself with. */
#include <memfold/bare.h>
#include <memfold/version.h>

#define SIZE_OF(type) {#type, sizeof(type)}

const mf_abi_size *mf_bare_abi_sizes(void) {
    static const mf_abi_size SIZES[] = {
        SIZE_OF(mf_bare_gate),
        SIZE_OF(mf_bare_host),
        SIZE_OF(mf_bare_registers),
        SIZE_OF(mf_bare_reservation),
        {NULL, 0},
    };
    return SIZES;
}
