/* The bytes of an input file, read into memory within a limit. */
#ifndef MEMFOLD_GEN_LAYOUT_SOURCE_H
#define MEMFOLD_GEN_LAYOUT_SOURCE_H

#include <memfold/layout_file.h>

/* What names standard input. */
#define STDIN_PATH "-"

typedef struct source {
    unsigned char *bytes; /* not NULL, also when there are none */
    size_t byte_count;
    mf_layout_format format; /* YAML or ELF */
} source;

/* How much of a file may be read, and why no more, as the end of a sentence. */
typedef struct source_limit {
    uint64_t bytes;
    const char *reason;
} source_limit;

/* Reads a layout file or standard input; MF_FORMAT_AUTO is decided by the first bytes. */
mf_status source_read(const char *path, mf_layout_format format, source *source, mf_diag *diag);

/* Reads any regular file; messages begin with `subject`. */
mf_status source_read_init(const char *path, const char *subject, source_limit limit, source *source,
                           mf_diag *diag);

void source_fini(source *source);

/* True if the bytes begin with the magic of ELF. */
bool source_is_elf(const source *source);

#endif
