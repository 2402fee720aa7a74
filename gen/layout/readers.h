/* One reader per file format. Each fills `contents`; `diag` is never NULL and gets no file name here. */
#ifndef MEMFOLD_GEN_LAYOUT_READERS_H
#define MEMFOLD_GEN_LAYOUT_READERS_H

#include "layout/contents.h"
#include "layout/source.h"

/* `path` is where init files are looked for: beside it. */
mf_status layout_read_yaml(const source *source, const char *path, contents *contents, mf_diag *diag);

mf_status layout_read_elf(const source *source, contents *contents, mf_diag *diag);

#endif
