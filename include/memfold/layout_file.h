/*
 * Layouts from files: a YAML description, or an ELF file's PT_LOAD segments.
 *
 * YAML: a mapping with `name` (optional), `regions` (a sequence of `start`, `size`, `access: ro|rw`, and
 * optionally `name` and `init`, a file relative to the YAML file) and `heap` (optional: `base`,
 * `max_pages`). Numbers are plain decimal or 0x hex. Stricter than the builder: sizes of 0, no regions,
 * an init file larger than its region, a heap that overlaps a region, unknown or repeated keys, aliases
 * and tags are errors. Later regions overwrite earlier ones. At most 16 MiB of text, 65,536 regions and 1 GiB
 * of initial bytes, counted as often as a region repeats them.
 *
 * ELF: 32- or 64-bit, either byte order, EXEC or DYN (at bias 0). A segment with the W flag is read-write,
 * any other read-only; a page shared by two segments is read-write if one of them is. Each segment gives
 * its file bytes, the rest is zero. Segments past 2^32, core and relocatable files are errors, and so are a
 * file over 1 GiB and segments with more file bytes than that together. There is no heap. Example:
 *
 *     #include <memfold/layout_file.h>
 *     #include <memfold/memory.h>
 *     #include <stdio.h>
 *
 *     int main(int count, char **arguments) {
 *         mf_layout_file file;
 *         mf_memory *memory;
 *         mf_diag diag;
 *         char line[256];
 *         const char *path = count > 1 ? arguments[1] : "-";
 *         if (mf_layout_file_read(path, MF_FORMAT_AUTO, &file, &diag) != MF_OK) {
 *             mf_diag_print(&diag, line, sizeof line);
 *             fprintf(stderr, "%s\n", line);
 *             return 1;
 *         }
 *         for (size_t i = 0; i < file.region_count; i++)
 *             printf("%s: 0x%llx bytes\n", file.regions[i].name,
 *                    (unsigned long long)file.regions[i].region.size);
 *         mf_status status = mf_memory_create(file.layout, file.image, MF_BACKEND_COPY, &memory, &diag);
 *         if (status == MF_OK)
 *             mf_memory_destroy(memory);
 *         mf_layout_file_fini(&file); // the memory would have kept what it needs
 *         return status == MF_OK ? 0 : 1;
 *     }
 */
#ifndef MEMFOLD_LAYOUT_FILE_H
#define MEMFOLD_LAYOUT_FILE_H

#include <memfold/layout.h>
#include <memfold/public.h>
#include <memfold/status.h>

MF_PUBLIC_BEGIN

/* What a file is taken for. */
typedef enum mf_layout_format {
    MF_FORMAT_AUTO = 0, /* ELF if the file begins with its magic, YAML otherwise */
    MF_FORMAT_YAML,     /* YAML, whatever it begins with */
    MF_FORMAT_ELF       /* ELF, and an error if it does not begin with the magic */
} mf_layout_format;

/* A region as the file has it: not merged, in file order, possibly overlapping. */
typedef struct mf_named_region {
    mf_region region;
    char *name; /* "" if the file gives none; ELF: "load0", "load1", ... */
} mf_named_region;

/*
 * What a file says. It owns all that its members point to; retain layout or image to keep them longer. The
 * caller does not change the members.
 */
typedef struct mf_layout_file {
    char *name;               /* the file's own, or else its file name up to the first dot, "stdin" for "-" */
    mf_layout *layout;        /* one reference */
    mf_image *image;          /* one reference; never NULL */
    mf_named_region *regions; /* region_count of them */
    size_t region_count;
} mf_layout_file;

/*
 * Reads `path` ("-": standard input) and, for YAML, the init files that it names. On MF_OK the caller owns
 * what `file` points to and gives it back with mf_layout_file_fini. MF_IO: a file cannot be opened or read,
 * or is no regular file. MF_BAD_INPUT: it does not describe a layout. MF_INVALID_ARGUMENT: there is no such
 * format. Or a status of the builder, MF_OUT_OF_MEMORY among them. `diag` names `path` and, for YAML, line
 * and column. Time and memory are bounded by the limits above. Any thread.
 */
mf_status mf_layout_file_read(const char *path, mf_layout_format format, mf_layout_file *file, mf_diag *diag);

/* What `file` points to is gone, and `file` is zeroed. A zeroed `file` is fine. Any thread. */
void mf_layout_file_fini(mf_layout_file *file);

MF_PUBLIC_END

#endif
