/* What a binding for another language compares itself with. */
#include <memfold/accessors.h>
#include <memfold/exception_table.h>
#include <memfold/layout.h>
#include <memfold/memory.h>
#include <memfold/options.h>
#include <memfold/pool.h>
#include <memfold/status.h>
#include <memfold/version.h>

#define SIZE_OF(type) {#type, sizeof(type)}

uint32_t mf_version(void) {
    return MF_VERSION_NUMBER;
}

const mf_abi_size *mf_abi_sizes(void) {
    static const mf_abi_size SIZES[] = {
        SIZE_OF(mf_abi_size),
        SIZE_OF(mf_accessor_info),
        SIZE_OF(mf_accessor_options),
        SIZE_OF(mf_accessors),
        SIZE_OF(mf_diag),
        SIZE_OF(mf_exception_entry),
        SIZE_OF(mf_exception_note),
        SIZE_OF(mf_fault),
        SIZE_OF(mf_heap),
        SIZE_OF(mf_load_result),
        SIZE_OF(mf_memory_config),
        SIZE_OF(mf_pool_config),
        SIZE_OF(mf_pool_kept),
        SIZE_OF(mf_region),
        SIZE_OF(mf_view),
        SIZE_OF(mf_window),
        {NULL, 0},
    };
    return SIZES;
}
