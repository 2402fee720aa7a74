/*
 * Creation: the pages have the permissions of the layout and the bytes of the image. It may fail anywhere,
 * because a memory that is not complete is only closed.
 */
#include "layout_walk.h"
#include "sharing.h"
#include "x86_paged/host_pages.h"
#include "x86_paged/map.h"
#include "x86_paged/operations.h"

/* Pages that are not read-write are opened for as long as it takes. */
static bool write_part(mf_memory *memory, page_run part, mf_perm perm) {
    bool is_opened = perm != MF_PERM_RW;
    if (is_opened && !host_pages_try(memory, part, MF_PERM_RW))
        return false;
    image_restore(memory->image, memory->view.base, part, false);
    return !is_opened || host_pages_try(memory, part, perm);
}

static bool write_parts(void *context, page_run run) {
    mf_memory *memory = context;
    layout_walk walk = layout_walk_begin(memory->start, run);
    page_run part;
    mf_perm perm;
    while (layout_walk_next(&walk, &part, &perm))
        if (!write_part(memory, part, perm))
            return false;
    return true;
}

bool paged_build(mf_memory *memory) {
    const mf_layout *layout = memory->start;
    paged_extend(memory, memory_creation_end(memory));
    map_allow_huge_pages(memory->paged.map);
    sharing_build(memory);
    for (size_t i = 0; i < layout->run_count; i++) {
        const layout_run *run = &layout->runs[i];
        if (!host_pages_try(memory, (page_run){run->first, run->end}, (mf_perm)run->perm))
            return false;
    }
    return sharing_visit_unshared(memory, page_run_of(0, memory->paged.end_bytes), write_parts, memory);
}
