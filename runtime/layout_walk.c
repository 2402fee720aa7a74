/* Walks over the pages of a layout. */
#include "layout_walk.h"

layout_walk layout_walk_begin(const mf_layout *layout, page_run pages) {
    size_t low = 0;
    size_t high = layout->run_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (layout->runs[middle].end > pages.first)
            high = middle;
        else
            low = middle + 1;
    }
    return (layout_walk){layout, low, pages};
}

bool layout_walk_next(layout_walk *walk, page_run *part, mf_perm *perm) {
    if (walk->rest.first >= walk->rest.end)
        return false;
    const layout_run *run = walk->next < walk->layout->run_count ? &walk->layout->runs[walk->next] : NULL;
    bool is_inside = run != NULL && run->first <= walk->rest.first;
    uint32_t end = is_inside ? run->end : run != NULL ? run->first : walk->rest.end;
    *part = (page_run){walk->rest.first, end < walk->rest.end ? end : walk->rest.end};
    *perm = is_inside ? (mf_perm)run->perm : MF_PERM_NONE;
    walk->next += is_inside && part->end == end;
    walk->rest.first = part->end;
    return true;
}
