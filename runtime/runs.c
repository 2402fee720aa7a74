/* Lists of runs of pages. */
#include "runs.h"
#include "os.h"

#include <string.h>

void run_list_fini(run_list *list) {
    os_free(list->runs);
    *list = (run_list){0};
}

static bool grow(run_list *list) {
    size_t bigger_capacity = list->capacity * 2 + 16;
    page_run *bigger = os_allocate(bigger_capacity * sizeof *bigger);
    if (bigger == NULL)
        return false;
    if (list->count > 0)
        memcpy(bigger, list->runs, list->count * sizeof *bigger);
    os_free(list->runs);
    list->runs = bigger;
    list->capacity = bigger_capacity;
    return true;
}

bool run_list_append(run_list *list, page_run run) {
    page_run *last = list->count > 0 ? &list->runs[list->count - 1] : NULL;
    if (last != NULL && last->first <= run.first && run.first <= last->end) {
        last->end = run.end > last->end ? run.end : last->end;
        return true;
    }
    if (list->count == list->capacity && !grow(list))
        return false;
    list->runs[list->count++] = run;
    return true;
}

static bool is_sorted(const run_list *list) {
    for (size_t i = 1; i < list->count; i++)
        if (list->runs[i].first < list->runs[i - 1].first)
            return false;
    return true;
}

/* Two sorted parts of `from`, [low, middle) and [middle, high), become one in `to`. */
static void merge(page_run *to, const page_run *from, size_t low, size_t middle, size_t high) {
    size_t left = low;
    size_t right = middle;
    for (size_t i = low; i < high; i++) {
        bool takes_left = left < middle && (right >= high || from[left].first <= from[right].first);
        to[i] = from[takes_left ? left++ : right++];
    }
}

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

/* Merge sort: as fast whatever order the runs come in. Mostly they are sorted already. */
static bool sort(run_list *list) {
    if (is_sorted(list))
        return true;
    size_t count = list->count;
    page_run *other = os_allocate(count * sizeof *other);
    if (other == NULL)
        return false;
    for (size_t width = 1; width < count; width *= 2) {
        for (size_t low = 0; low < count; low += 2 * width)
            merge(other, list->runs, low, least(low + width, count), least(low + 2 * width, count));
        memcpy(list->runs, other, count * sizeof *other);
    }
    os_free(other);
    return true;
}

bool run_list_unite(run_list *list) {
    if (!sort(list))
        return false;
    size_t count = list->count;
    list->count = 0;
    for (size_t i = 0; i < count; i++) {
        page_run run = list->runs[i];
        if (!run_is_empty(run))
            run_list_append(list, run);
    }
    return true;
}
