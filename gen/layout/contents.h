/*
 * What a file says about a layout, while it is being read: the builder and the list of regions as they
 * stand in the file. The readers fill it; mf_layout_file_read turns it into its result.
 */
#ifndef MEMFOLD_GEN_LAYOUT_CONTENTS_H
#define MEMFOLD_GEN_LAYOUT_CONTENTS_H

#include <memfold/layout_file.h>

#define FILE_MAX_REGIONS 65536

/* Of an ELF file, and of all initial bytes together, however often segments or init files repeat them. */
#define FILE_MAX_CONTENT_BYTES (UINT64_C(1) << 30)

typedef struct contents {
    mf_layout_builder *builder;
    mf_named_region *regions;
    size_t region_count;
    size_t region_capacity;
    char *name; /* NULL if the file gives none */
} contents;

/* Empty, with a builder. On failure there is nothing to free. */
mf_status contents_init(contents *contents, mf_diag *diag);
void contents_fini(contents *contents);

/* Appends to the list of regions, not to the builder; `name` is copied. */
mf_status contents_add_region(contents *contents, const mf_region *region, const char *name, mf_diag *diag);

/* Moves everything into `file`, whose name is `default_name` if there is no other. */
mf_status contents_finish(contents *contents, const char *default_name, mf_layout_file *file, mf_diag *diag);

/* A copy of text[0, count) with a terminator, or NULL and the diagnostic. */
char *text_copy(const char *text, size_t count, mf_diag *diag);

/* Fills `diag` and returns MF_OUT_OF_MEMORY. */
mf_status diag_out_of_memory(mf_diag *diag);

#endif
