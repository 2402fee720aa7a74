/* What pools ask of the paged backend: another layout for a memory, and the bytes of another memory. */
#include "layout_walk.h"
#include "sharing.h"
#include "x86_paged/host_pages.h"
#include "x86_paged/operations.h"

/* Only pages with another permission than before are asked for. */
static bool reuse(mf_memory *memory, const mf_layout *start, mf_heap heap) {
    layout_walk walk = layout_walk_begin(start, (page_run){0, MF_SPACE_PAGES});
    page_run part;
    mf_perm perm;
    (void)heap;
    while (layout_walk_next(&walk, &part, &perm)) {
        layout_walk old = layout_walk_begin(memory->start, part);
        page_run same;
        mf_perm before;
        while (layout_walk_next(&old, &same, &before))
            if (before != perm && !host_pages_try(memory, same, perm))
                return false;
    }
    paged_extend(memory, mf_layout_len(start));
    return true;
}

static bool follow(mf_memory *memory, mf_memory *from) {
    paged_extend(memory, from->paged.end_bytes);
    memory->paged.touched = from->paged.touched;
    return paged_copy_changed(memory, from);
}

static const reuse_ops ops = {.reuse = reuse, .follow = follow};

const reuse_ops *const reuse_x86_paged = &ops;
