/* Statuses and diagnostics as text. The only file of the runtime that formats. */
#include <memfold/status.h>

#include <stdarg.h>
#include <stdio.h>

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
    if (diag == NULL) {
        return status;
    }
    *diag = (mf_diag){.status = status, .value = value};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(diag->message, sizeof diag->message, format, arguments);
    va_end(arguments);
    return status;
}

/* Writes the place that is known, with its trailing ": ", and returns its length. */
static size_t print_place(const mf_diag *diag, char *text, size_t text_bytes) {
    const char *file = diag->file;
    int length = 0;
    if (diag->line != 0 && diag->column != 0) {
        length = snprintf(text, text_bytes, "%s%s%u:%u: ", file, file[0] != '\0' ? ":" : "", diag->line,
                          diag->column);
    } else if (diag->line != 0) {
        length = snprintf(text, text_bytes, "%s%s%u: ", file, file[0] != '\0' ? ":" : "", diag->line);
    } else if (file[0] != '\0') {
        length = snprintf(text, text_bytes, "%s: ", file);
    }
    return (size_t)length;
}

size_t mf_diag_print(const mf_diag *diag, char *text, size_t text_bytes) {
    size_t place = print_place(diag, text, text_bytes);
    const char *message = diag->message[0] != '\0' ? diag->message : mf_status_message(diag->status);
    size_t room = text_bytes > place ? text_bytes - place : 0;
    int length = snprintf(room > 0 ? text + place : NULL, room, "%s", message);
    return place + (size_t)length;
}
