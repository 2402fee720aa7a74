/* One reader per file format. Each fills `contents`; `diag` is never NULL and gets no file name here. */
#ifndef MEMFOLD_GEN_LAYOUT_READERS_H
#define MEMFOLD_GEN_LAYOUT_READERS_H

#include "contents.h"
#include "source.h"

/* `path` is where init files are looked for: beside it. */
mf_status mf_yaml_layout_read(const mf_source *source, const char *path, mf_contents *contents,
                              mf_diag *diag);

mf_status mf_elf_layout_read(const mf_source *source, mf_contents *contents, mf_diag *diag);

#endif
