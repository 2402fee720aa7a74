/* Lists of the pages that are mappings of images. */
#include "backed.h"
#include "os.h"

#include <string.h>

void backed_fini(backed_list *list) {
    for (size_t i = 0; i < list->count; i++)
        mf_image_release(list->runs[i].image);
    os_free(list->runs);
    *list = (backed_list){0};
}

bool backed_reserve(backed_list *list, size_t more) {
    if (list->capacity - list->count >= more)
        return true;
    size_t bigger_capacity = list->capacity + more + 4;
    backed_run *bigger = os_allocate(bigger_capacity * sizeof *bigger);
    if (bigger == NULL)
        return false;
    if (list->count > 0)
        memcpy(bigger, list->runs, list->count * sizeof *bigger);
    os_free(list->runs);
    list->runs = bigger;
    list->capacity = bigger_capacity;
    return true;
}

size_t backed_find(const backed_list *list, uint32_t page) {
    size_t low = 0;
    size_t high = list->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (list->runs[middle].pages.end > page)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

bool backed_has_any(const backed_list *list, page_run run) {
    size_t at = backed_find(list, run.first);
    return at < list->count && list->runs[at].pages.first < run.end;
}

static void insert(backed_list *list, size_t at, page_run run, mf_image *image) {
    memmove(&list->runs[at + 1], &list->runs[at], (list->count - at) * sizeof list->runs[0]);
    list->runs[at] = (backed_run){run, image};
    list->count++;
}

void backed_add(backed_list *list, page_run run, const mf_image *image) {
    insert(list, backed_find(list, run.first), run, mf_image_retain(image));
}

static void erase(backed_list *list, size_t at) {
    mf_image_release(list->runs[at].image);
    list->count--;
    memmove(&list->runs[at], &list->runs[at + 1], (list->count - at) * sizeof list->runs[0]);
}

/* Of a run that reaches over both ends a part is left on each side; of others one part, or none. */
void backed_remove(backed_list *list, page_run run) {
    size_t at = backed_find(list, run.first);
    while (at < list->count && list->runs[at].pages.first < run.end) {
        backed_run *backed = &list->runs[at];
        page_run behind = {run.end, backed->pages.end};
        bool has_before = backed->pages.first < run.first;
        if (has_before)
            backed->pages.end = run.first;
        if (has_before && !run_is_empty(behind))
            insert(list, at + 1, behind, mf_image_retain(backed->image));
        else if (!has_before && !run_is_empty(behind))
            backed->pages.first = run.end;
        else if (!has_before) {
            erase(list, at);
            continue;
        }
        at++;
    }
}
