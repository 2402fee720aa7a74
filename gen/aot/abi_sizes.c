/* What a binding for another language compares itself with. */
#include <memfold/aot.h>
#include <memfold/embed.h>
#include <memfold/layout_file.h>
#include <memfold/version.h>

#define SIZE_OF(type) {#type, sizeof(type)}

const mf_abi_size *mf_gen_abi_sizes(void) {
    static const mf_abi_size SIZES[] = {
        SIZE_OF(mf_aot_options),
        SIZE_OF(mf_embed_access),
        SIZE_OF(mf_embed_exception_table),
        SIZE_OF(mf_layout_file),
        SIZE_OF(mf_named_region),
        SIZE_OF(mf_runtime_symbol),
        {NULL, 0},
    };
    return SIZES;
}
