/* Options that are values of their types and go together. */
#include <memfold/plan.h>

#include <inttypes.h>

typedef struct range {
    const char *option;
    int value;
    int last;
} range;

static mf_status validate_ranges(const mf_accessor_options *options, mf_diag *diag) {
    const range ranges[] = {
        {"backend", (int)options->backend, MF_BACKEND_X86_PAGED},
        {"policy", (int)options->policy, MF_POLICY_NONE},
        {"endian", (int)options->endian, MF_BIG_ENDIAN},
        {"on_fault", (int)options->on_fault, MF_ON_FAULT_TRAP},
        {"base", (int)options->base, MF_BASE_CONSTANT},
        {"index", (int)options->index, MF_INDEX_U33},
        {"spectre", (int)options->spectre, MF_SPECTRE_MASK},
        {"strategy", (int)options->strategy, MF_STRATEGY_PAGE_TABLE},
        {"stale", (int)options->stale, MF_STALE_CHECK},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
        if (ranges[i].value < 0 || ranges[i].value > ranges[i].last)
            return mf_diag_set(diag, MF_INVALID_ARGUMENT, (uint64_t)ranges[i].value,
                               "option %s has no value %d", ranges[i].option, ranges[i].value);
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
    if (options->hot_percent > 100)
        return mf_diag_set(diag, MF_INVALID_ARGUMENT, options->hot_percent,
                           "option hot_percent has no value %" PRIu32, options->hot_percent);
    if (options->hot_percent == 0 && options->hot_address != 0)
        return mf_diag_set(diag, MF_INVALID_ARGUMENT, options->hot_address,
                           "a hot address needs a hot percentage");
    if (options->policy != MF_POLICY_PERMS && options->strategy != MF_STRATEGY_AUTO)
        return mf_diag_set(diag, MF_INVALID_ARGUMENT, (uint64_t)options->strategy,
                           "a strategy needs policy = perms");
    return options->backend == MF_BACKEND_X86_PAGED ? validate_paged(options, diag) : MF_OK;
}
