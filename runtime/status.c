/* Statuses and diagnostics as text. The only file of the runtime that formats. */
#include <memfold/status.h>

#include "os.h"

static const struct {
    const char *name;
    const char *message;
} statuses[] = {
#define MF_X(code, name, message) {name, message},
    MF_STATUSES(MF_X)
#undef MF_X
};

const char *mf_status_name(mf_status status) {
    return (unsigned)status < MF_STATUS_COUNT ? statuses[status].name : "unknown";
}

const char *mf_status_message(mf_status status) {
    return (unsigned)status < MF_STATUS_COUNT ? statuses[status].message : "unknown status";
}

mf_status mf_diag_set(mf_diag *diag, mf_status status, uint64_t value, const char *format, ...) {
    if (diag == NULL)
        return status;
    *diag = (mf_diag){.status = status, .value = value};
    va_list arguments;
    va_start(arguments, format);
    os_format(diag->message, sizeof diag->message, format, arguments);
    va_end(arguments);
    return status;
}

__attribute__((format(printf, 3, 4))) static size_t print(char *text, size_t text_bytes, const char *format,
                                                          ...) {
    va_list arguments;
    va_start(arguments, format);
    size_t length = os_format(text, text_bytes, format, arguments);
    va_end(arguments);
    return length;
}

/* Writes the place that is known, with its trailing ": ", and returns its length. */
static size_t print_place(const mf_diag *diag, char *text, size_t text_bytes) {
    const char *file = diag->file;
    const char *colon = file[0] != '\0' ? ":" : "";
    if (diag->line != 0 && diag->column != 0)
        return print(text, text_bytes, "%s%s%u:%u: ", file, colon, diag->line, diag->column);
    if (diag->line != 0)
        return print(text, text_bytes, "%s%s%u: ", file, colon, diag->line);
    return file[0] != '\0' ? print(text, text_bytes, "%s: ", file) : 0;
}

size_t mf_diag_print(const mf_diag *diag, char *text, size_t text_bytes) {
    size_t place = print_place(diag, text, text_bytes);
    const char *message = diag->message[0] != '\0' ? diag->message : mf_status_message(diag->status);
    size_t room = text_bytes > place ? text_bytes - place : 0;
    return place + print(room > 0 ? text + place : NULL, room, "%s", message);
}
