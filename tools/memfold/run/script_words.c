#include "run/script.h"

#include <memfold/accessors.h>

#include <string.h>

const char *const script_perm_words[] = {"none", "ro", "rw", NULL};
const char *const script_operation_words[] = {"load", "store", NULL};

const char *script_perm_word(unsigned perm) {
    return script_perm_words[perm];
}

const char *script_operation_word(unsigned operation) {
    return script_operation_words[operation];
}

/* "load_u8" -> "u8" */
const char *script_kind_word(unsigned accessor) {
    return strchr(mf_accessor_info_get((mf_accessor_id)accessor)->name, '_') + 1;
}
