/* What `memfold map` shows: the whole guest space as spans, and which of them it has room for. */
#ifndef MEMFOLD_TOOLS_MAP_SPACE_H
#define MEMFOLD_TOOLS_MAP_SPACE_H

#include <memfold/layout_file.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum map_span_kind { SPAN_HOLE = 0, SPAN_RO, SPAN_RW, SPAN_HEAP, SPAN_KINDS } map_span_kind;

/* A maximal run of pages of one kind. */
typedef struct map_span {
    uint64_t start;
    uint64_t size;
    map_span_kind kind;
} map_span;

/* The windows of one operation, sorted. */
typedef struct map_windows {
    mf_window *windows;
    size_t count;
    uint64_t bytes;
} map_windows;

/* A row shows one span, or stands for `count` of them that are left out. */
typedef struct map_row {
    size_t first, count;
} map_row;

typedef struct map_space {
    const mf_layout_file *file; /* borrowed */
    map_span *spans;            /* cover [0, 2^32) */
    size_t span_count;
    uint64_t bytes[SPAN_KINDS];
    map_windows windows[2]; /* by mf_operation */
    map_row *rows;
    size_t row_count;
} map_space;

/* Describes `file`, which outlives it. False if the host has no memory; map_space_fini is due in any case. */
bool map_space_init(map_space *space, const mf_layout_file *file);
void map_space_fini(map_space *space);

/* "--", "ro", "rw" */
const char *map_span_perm_word(map_span_kind kind);

/* The first guest index of the row, and the first one above it. */
uint64_t map_row_start(const map_space *space, const map_row *row);
uint64_t map_row_end(const map_space *space, const map_row *row);

/* 0 to 3: how many factors of 64 pages a size is above one page, so that sizes compare on a log scale. */
unsigned map_size_magnitude(uint64_t bytes);

/* Writes what a row of several spans stands for: how many, and the mapped bytes among them. */
#define MAP_ROW_SUMMARY_BYTES 128
const char *map_row_summary(const map_space *space, const map_row *row, char to[MAP_ROW_SUMMARY_BYTES]);

/*
 * Writes what is in a span: the names of the file's regions, "a, b, +3" where not all fit into `columns`.
 */
void map_span_names(const map_space *space, const map_span *span, unsigned columns, bool ascii_only, char *to,
                    size_t to_bytes);

/* The window of `operation` that holds `index`, or NULL. */
const mf_window *map_window_find(const map_space *space, mf_operation operation, uint64_t index);

/* Writes "L12" or "S3": the operation and the number of a window of it. */
#define MAP_WINDOW_LABEL_BYTES 24
void map_window_label(const map_space *space, mf_operation operation, const mf_window *window,
                      char to[MAP_WINDOW_LABEL_BYTES]);

/* Writes the second line of the title: how many regions, and how many bytes of each kind. */
void map_space_summary(const map_space *space, char *to, size_t to_bytes);

/*
 * Of `count` entries of a list, the place after which the middle is left out, and how many are; 0 left out
 * if all are shown.
 */
size_t map_list_elide(size_t count, size_t *left_out);

#endif
