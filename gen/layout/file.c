#include <memfold/layout_file.h>

#include "layout/readers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The file name up to its first dot; the whole file name if nothing stands before the dot. */
static char *stem_copy(const char *path, mf_diag *diag) {
    if (strcmp(path, STDIN_PATH) == 0)
        path = "stdin";
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    size_t count = strcspn(name, ".");
    return text_copy(name, count > 0 ? count : strlen(name), diag);
}

static mf_status read_contents(const source *source, const char *path, mf_layout_file *file, mf_diag *diag) {
    contents all;
    mf_status status = contents_init(&all, diag);
    if (status != MF_OK)
        return status;
    status = source->format == MF_FORMAT_ELF ? layout_read_elf(source, &all, diag)
                                             : layout_read_yaml(source, path, &all, diag);
    if (status == MF_OK) {
        char *stem = stem_copy(path, diag);
        status = stem != NULL ? contents_finish(&all, stem, file, diag) : MF_OUT_OF_MEMORY;
        free(stem);
    }
    contents_fini(&all);
    return status;
}

mf_status mf_layout_file_read(const char *path, mf_layout_format format, mf_layout_file *file,
                              mf_diag *diag) {
    mf_diag unwanted;
    if (diag == NULL)
        diag = &unwanted;
    if (format != MF_FORMAT_AUTO && format != MF_FORMAT_YAML && format != MF_FORMAT_ELF)
        return mf_diag_set(diag, MF_INVALID_ARGUMENT, (uint32_t)format, "there is no layout format %d",
                           (int)format);
    source from;
    mf_status status = source_read(path, format, &from, diag);
    if (status == MF_OK)
        status = read_contents(&from, path, file, diag);
    source_fini(&from);
    if (status != MF_OK)
        snprintf(diag->file, sizeof diag->file, "%s", path);
    return status;
}
