/* Lists of runs of pages, for those who collect them. */
#ifndef MEMFOLD_RUNTIME_RUNS_H
#define MEMFOLD_RUNTIME_RUNS_H

#include "pages.h"

#include <stddef.h>

/* All zero: empty. */
typedef struct run_list {
    page_run *runs;
    size_t count;
    size_t capacity;
} run_list;

void run_list_fini(run_list *list);

/* Appends a run, or makes the last one longer where this one begins in it or at its end. False without
 * memory. */
bool run_list_append(run_list *list, page_run run);

/* The runs are sorted, none is empty, and no two touch. False without memory. */
bool run_list_unite(run_list *list);

/* What `a` and `b` have in common; first == end, or more, if there is nothing. */
static inline page_run run_common(page_run a, page_run b) {
    return (page_run){a.first > b.first ? a.first : b.first, a.end < b.end ? a.end : b.end};
}

static inline bool run_is_empty(page_run run) {
    return run.first >= run.end;
}

/* The shortest run that has all pages of both. */
static inline page_run run_around(page_run a, page_run b) {
    if (run_is_empty(a) || run_is_empty(b))
        return run_is_empty(a) ? b : a;
    return (page_run){a.first < b.first ? a.first : b.first, a.end > b.end ? a.end : b.end};
}

#endif
