/* Options that are values of their types and go together. */
#include <memfold/plan.h>

#include <inttypes.h>

/* `value` is -1 and the like for an enumerator that there is not. */
static mf_status refuse_value(const char *option, uint64_t value, mf_diag *diag) {
    return mf_diag_set(diag, MF_INVALID_ARGUMENT, value, "option %s has no value %" PRId32, option,
                       (int32_t)value);
}

static mf_status validate_ranges(const mf_accessor_options *options, mf_diag *diag) {
#define MF_X(ID, type, field, largest)                                                                       \
    if ((uint64_t)options->field > (uint64_t)(largest))                                                      \
        return refuse_value(#field, (uint64_t)options->field, diag);
    MF_ACCESSOR_OPTIONS(MF_X)
#undef MF_X
    return MF_OK;
}

/* The MMU knows one way to check, and no bound of its own. */
static mf_status validate_paged(const mf_accessor_options *options, mf_diag *diag) {
    if (options->policy == MF_POLICY_BOUNDS)
        return mf_diag_set(diag, MF_INVALID_ARGUMENT, (uint64_t)options->policy,
                           "policy = bounds needs the copy backend");
    if (options->strategy != MF_STRATEGY_AUTO)
        return mf_diag_set(diag, MF_INVALID_ARGUMENT, (uint64_t)options->strategy,
                           "a strategy needs the copy backend");
    return MF_OK;
}

mf_status mf_accessor_options_validate(const mf_accessor_options *options, mf_diag *diag) {
    mf_status status = validate_ranges(options, diag);
    if (status != MF_OK)
        return status;
    if (options->base != MF_BASE_CONSTANT && options->base_address != 0)
        return mf_diag_set(diag, MF_INVALID_ARGUMENT, options->base_address,
                           "a base address needs base = constant");
    if (options->hot_percent == 0 && options->hot_address != 0)
        return mf_diag_set(diag, MF_INVALID_ARGUMENT, options->hot_address,
                           "a hot address needs a hot percentage");
    if (options->policy != MF_POLICY_PERMS && options->strategy != MF_STRATEGY_AUTO)
        return mf_diag_set(diag, MF_INVALID_ARGUMENT, (uint64_t)options->strategy,
                           "a strategy needs policy = perms");
    if (options->on_fault == MF_ON_FAULT_BRANCH && options->stale == MF_STALE_CHECK)
        return mf_diag_set(diag, MF_INVALID_ARGUMENT, (uint64_t)options->stale,
                           "stale = check does not go with on_fault = branch, which calls nothing");
    return options->backend == MF_BACKEND_X86_PAGED ? validate_paged(options, diag) : MF_OK;
}
