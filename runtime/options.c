/* Accessor options as a value. */
#include <memfold/options.h>

bool mf_accessor_options_equal(const mf_accessor_options *a, const mf_accessor_options *b) {
    return a->backend == b->backend && a->policy == b->policy && a->endian == b->endian &&
           a->on_fault == b->on_fault && a->base == b->base && a->index == b->index &&
           a->spectre == b->spectre && a->strategy == b->strategy && a->stale == b->stale &&
           a->base_address == b->base_address && a->hot_address == b->hot_address &&
           a->hot_percent == b->hot_percent;
}
