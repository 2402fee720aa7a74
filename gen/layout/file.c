#include <memfold/layout_file.h>

#include "readers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The file name up to its first dot; the whole file name if nothing stands before the dot. */
static char *stem_copy(const char *path, mf_diag *diag) {
    if (strcmp(path, MF_STDIN_PATH) == 0)
        path = "stdin";
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    size_t count = strcspn(name, ".");
    return mf_text_copy(name, count ? count : strlen(name), diag);
}

static mf_status read_contents(const mf_source *source, const char *path, mf_layout_file *file,
                               mf_diag *diag) {
    mf_contents contents;
    mf_status status = mf_contents_init(&contents, diag);
    if (status != MF_OK)
        return status;
    status = source->format == MF_FORMAT_ELF ? mf_elf_layout_read(source, &contents, diag)
                                             : mf_yaml_layout_read(source, path, &contents, diag);
    if (status == MF_OK) {
        char *stem = stem_copy(path, diag);
        status = stem ? mf_contents_finish(&contents, stem, file, diag) : MF_OUT_OF_MEMORY;
        free(stem);
    }
    mf_contents_fini(&contents);
    return status;
}

mf_status mf_layout_file_read(const char *path, mf_layout_format format, mf_layout_file *file,
                              mf_diag *diag) {
    mf_diag unwanted;
    if (!diag)
        diag = &unwanted;
    mf_source source;
    mf_status status = mf_source_read(path, format, &source, diag);
    if (status == MF_OK)
        status = read_contents(&source, path, file, diag);
    mf_source_fini(&source);
    if (status != MF_OK)
        snprintf(diag->file, sizeof diag->file, "%s", path);
    return status;
}
