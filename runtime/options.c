/* Accessor options as a value. */
#include <memfold/options.h>

bool mf_accessor_options_equal(const mf_accessor_options *a, const mf_accessor_options *b) {
#define MF_X(ID, type, field, largest) a->field == b->field &&
    return MF_ACCESSOR_OPTIONS(MF_X) true;
#undef MF_X
}
