/* The words that scripts have for the library's enumerators. */
#include "run/script.h"

#include <memfold/accessors.h>

#include <string.h>

const char *const run_perm_words[] = {"none", "ro", "rw", NULL};
const char *const run_operation_words[] = {"load", "store", NULL};

const char *run_perm_word(unsigned perm) {
    return run_perm_words[perm];
}

const char *run_operation_word(unsigned operation) {
    return run_operation_words[operation];
}

/* "load_u8" -> "u8" */
const char *run_kind_word(unsigned accessor) {
    return strchr(mf_accessor_info_get((mf_accessor_id)accessor)->name, '_') + 1;
}
