#include "verify_object.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Far above what memfold emits. */
#define OBJECT_BYTES_MAX ((size_t)16 << 20)

/* ---- The file ---- */

/* Everything that is in `file`, malloc'ed; NULL, and errno says why. */
static char *read_all(FILE *file, size_t *byte_count) {
    char *bytes = malloc(OBJECT_BYTES_MAX + 1);
    if (bytes == NULL)
        return NULL;
    *byte_count = fread(bytes, 1, OBJECT_BYTES_MAX + 1, file);
    if (*byte_count <= OBJECT_BYTES_MAX && !ferror(file))
        return bytes;
    if (!ferror(file))
        errno = EFBIG;
    free(bytes);
    return NULL;
}

static char *read_file(const char *path, size_t *byte_count) {
    if (strcmp(path, STANDARD_STREAM) == 0)
        return read_all(stdin, byte_count);
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return NULL;
    char *bytes = read_all(file, byte_count);
    int error = errno;
    fclose(file);
    errno = error;
    return bytes;
}

/* ---- What is printed ---- */

static void print_note(const mf_object_note *note) {
    char options[1024];
    accessor_options_print(&note->options, options, sizeof options);
    printf("%s: made by memfold %s for layout 0x%016" PRIx64 " with %s\n", note->prefix, note->version,
           note->fingerprint, options);
}

static void print_results(const mf_verify_report *report, FILE *to) {
    static char text[2048];
    for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++) {
        mf_verify_print(&report->results[id], text, sizeof text);
        fprintf(to, "%s\n", text);
    }
}

/* ---- Proofs ---- */

static int verify_noted(const mf_layout *layout, const char *path, const char *bytes, size_t byte_count,
                        const mf_verify_limits *limits) {
    static mf_verify_report report;
    mf_diag diag = {0};
    if (mf_verify_object(bytes, byte_count, layout, NULL, limits, NULL, &report, &diag) != MF_OK)
        return fail_diag(&diag, path);
    print_results(&report, stdout);
    puts(report.all_proved ? "object     proved: nothing else is in it" : "object     not proved");
    return report.all_proved ? 0 : EXIT_BAD_INPUT;
}

static int verify_bytes(const mf_layout *layout, const char *path, const char *bytes, size_t byte_count,
                        const given_accessors *asked, const mf_verify_limits *limits) {
    char noted[OPTION_TEXT_BYTES];
    char given[OPTION_TEXT_BYTES];
    mf_object_note note;
    mf_diag diag = {0};
    if (mf_object_note_read(bytes, byte_count, &note, &diag) != MF_OK)
        return fail_diag(&diag, path);
    if (!accessor_options_agree(asked, &note.options, noted, given))
        return fail_print(path, 0, "the object was made with %s, and %s was asked for", noted, given);
    print_note(&note);
    return verify_noted(layout, path, bytes, byte_count, limits);
}

int verify_object_file(const mf_layout *layout, const char *path, const given_accessors *asked,
                       const mf_verify_limits *limits) {
    size_t byte_count = 0;
    char *bytes = read_file(path, &byte_count);
    if (bytes == NULL)
        return fail_print(path, 0, "%s", strerror(errno));
    int code = verify_bytes(layout, path, bytes, byte_count, asked, limits);
    free(bytes);
    return code;
}

bool verify_object_bytes(const mf_layout *layout, const char *bytes, size_t byte_count,
                         const mf_accessor_options *options, const char *layout_path) {
    static mf_verify_report report;
    mf_diag diag = {0};
    if (mf_verify_object(bytes, byte_count, layout, options, NULL, NULL, &report, &diag) != MF_OK) {
        fail_diag(&diag, layout_path);
        return false;
    }
    if (!report.all_proved) {
        fail_print(layout_path, 0, "not all accessors are proved, and nothing is written");
        print_results(&report, stderr);
    }
    return report.all_proved;
}
