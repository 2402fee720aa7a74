/*
 * Layouts from files: a YAML description, or an ELF file's PT_LOAD segments.
 *
 * YAML: a mapping with `name` (optional), `regions` (a sequence of `start`, `size`, `access: ro|rw`, and
 * optionally `name` and `init`, a file relative to the YAML file) and `heap` (optional: `base`,
 * `max_pages`). Numbers are plain decimal or 0x hex. Stricter than the builder: sizes of 0, no regions,
 * an init file larger than its region, a heap that overlaps a region, unknown or repeated keys, aliases
 * and tags are errors. At most 16 MiB of text, 65,536 regions and 1 GiB of initial
 * bytes.
 *
 * ELF: 32- or 64-bit, either byte order, EXEC or DYN (at bias 0). A segment with the W flag is read-write,
 * any other read-only; a page shared by two segments is read-write if one of them is. Each segment gives
 * its file bytes, the rest is zero. Segments past 2^32, core and relocatable files are errors, and so
 * is a file over 1 GiB.
 */
#ifndef MEMFOLD_LAYOUT_FILE_H
#define MEMFOLD_LAYOUT_FILE_H

#include <memfold/layout.h>
#include <memfold/public.h>
#include <memfold/status.h>

MF_PUBLIC_BEGIN

typedef enum mf_layout_format {
    MF_FORMAT_AUTO = 0, /* ELF if the file begins with its magic, YAML otherwise */
    MF_FORMAT_YAML,
    MF_FORMAT_ELF
} mf_layout_format;

/* A region as the file has it: not merged, in file order, possibly overlapping. */
typedef struct mf_named_region {
    mf_region region;
    char *name; /* "" if the file gives none; ELF: "load0", "load1", ... */
} mf_named_region;

/* What a file says. `name` is the file's stem if the file gives none, "stdin" for standard input. */
typedef struct mf_layout_file {
    char *name;
    mf_layout *layout;
    mf_image *image;
    mf_named_region *regions;
    size_t region_count;
} mf_layout_file;

/*
 * Reads `path` ("-": standard input). On MF_OK the caller owns what `file` points to and gives it back
 * with mf_layout_file_fini. MF_IO, MF_BAD_INPUT, or a status of the builder; `diag` names the file and, for
 * YAML, line and column. Time and memory are bounded by the limits above. Any thread.
 */
mf_status mf_layout_file_read(const char *path, mf_layout_format format, mf_layout_file *file, mf_diag *diag);

/* Frees what `file` points to. A zeroed `file` is fine. */
void mf_layout_file_fini(mf_layout_file *file);

MF_PUBLIC_END

#endif
