/* The bytes of an input file, read into memory within a limit. */
#ifndef MEMFOLD_GEN_LAYOUT_SOURCE_H
#define MEMFOLD_GEN_LAYOUT_SOURCE_H

#include <memfold/layout_file.h>

/* What names standard input. */
#define MF_STDIN_PATH "-"

typedef struct mf_source {
    unsigned char *bytes; /* not NULL, also when there are none */
    size_t byte_count;
    mf_layout_format format; /* YAML or ELF */
} mf_source;

/* How much of a file may be read, and why no more, as the end of a sentence. */
typedef struct mf_source_limit {
    uint64_t bytes;
    const char *reason;
} mf_source_limit;

/* Reads a layout file or standard input; MF_FORMAT_AUTO is decided by the first bytes. */
mf_status mf_source_read(const char *path, mf_layout_format format, mf_source *source, mf_diag *diag);

/* Reads any regular file; messages begin with `subject`. */
mf_status mf_source_read_init(const char *path, const char *subject, mf_source_limit limit, mf_source *source,
                              mf_diag *diag);

void mf_source_fini(mf_source *source);

/* True if the bytes begin with the magic of ELF. */
bool mf_source_is_elf(const mf_source *source);

#endif
