/* What `memfold map` shows: the whole guest space as spans, and which of them it has room for. */
#ifndef MEMFOLD_TOOLS_MAP_SPACE_H
#define MEMFOLD_TOOLS_MAP_SPACE_H

#include <memfold/layout_file.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum span_kind { SPAN_HOLE = 0, SPAN_RO, SPAN_RW, SPAN_HEAP, SPAN_KINDS } span_kind;

/* A maximal run of equal pages, the heap's reserve being pages of their own. */
struct span {
    uint64_t start;
    uint64_t size;
    span_kind kind;
};

/* The windows of one operation, sorted. */
struct window_list {
    mf_window *windows;
    size_t count;
    uint64_t bytes;
};

/* A row shows one span, or stands for `count` of them that are left out. */
struct row {
    size_t first, count;
};

struct space {
    const mf_layout_file *file; /* borrowed */
    struct span *spans;         /* cover [0, 2^32) */
    size_t span_count;
    uint64_t bytes[SPAN_KINDS];
    struct window_list windows[2]; /* by mf_operation */
    struct row *rows;
    size_t row_count;
};

/* Describes `file`, which outlives it. False if the host has no memory; space_fini is due in any case. */
bool space_init(struct space *space, const mf_layout_file *file);
void space_fini(struct space *space);

/* "--", "ro", "rw" */
const char *span_perm_word(span_kind kind);

/* The first guest index above the row, and the first in it. */
uint64_t row_start(const struct space *space, const struct row *row);
uint64_t row_end(const struct space *space, const struct row *row);

/* 0 to 3: how many factors of 64 pages a size is above one page, so that sizes compare on a log scale. */
unsigned size_magnitude(uint64_t bytes);

/* Writes what a row of several spans stands for: how many, and the mapped bytes among them. */
#define ROW_SUMMARY_BYTES 128
const char *row_summary(const struct space *space, const struct row *row, char to[ROW_SUMMARY_BYTES]);

/*
 * Writes what is in a span: the names of the file's regions, "a, b, +3" where not all fit into `columns`.
 */
void span_names(const struct space *space, const struct span *span, unsigned columns, bool ascii_only,
                char *to, size_t to_bytes);

/* The window of `operation` that holds `index`, or NULL; its place gives it its number. */
const mf_window *window_find(const struct space *space, mf_operation operation, uint64_t index);

/* Writes "L12" or "S3": the operation and the number of a window of it. */
#define WINDOW_LABEL_BYTES 24
void window_label(const struct space *space, mf_operation operation, const mf_window *window,
                  char to[WINDOW_LABEL_BYTES]);

/* Writes the title's second line: how much of what. */
void space_summary(const struct space *space, char *to, size_t to_bytes);

/*
 * Of `count` entries of a list, the place after which the middle is left out, and how many are; 0 left out
 * if all are shown.
 */
size_t list_elide(size_t count, size_t *left_out);

#endif
