#include "plan/prefix.h"

#include <stdbool.h>
#include <string.h>

/* Letters of ASCII, whatever the host's locale is. */
static bool is_identifier(const char *text) {
    static const char HEAD[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    static const char TAIL[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
    return text[0] != '\0' && strchr(HEAD, text[0]) != NULL && text[strspn(text, TAIL)] == '\0';
}

mf_status prefix_validate(const char *prefix, mf_diag *diag) {
    if (prefix == NULL)
        return mf_diag_set(diag, MF_INVALID_ARGUMENT, 0, "there is no symbol prefix");
    if (!is_identifier(prefix))
        return mf_diag_set(diag, MF_INVALID_ARGUMENT, 0, "the symbol prefix '%s' is not a C identifier",
                           prefix);
    size_t length = strlen(prefix);
    if (length > PREFIX_BYTES_MAX)
        return mf_diag_set(diag, MF_INVALID_ARGUMENT, length,
                           "the symbol prefix '%s' is longer than %d bytes", prefix, PREFIX_BYTES_MAX);
    return MF_OK;
}
