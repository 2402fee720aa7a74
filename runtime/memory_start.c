/* What memories begin with. */
#include "memory_start.h"
#include "layout_walk.h"
#include "views.h"

creation creation_of(const mf_layout *layout, const mf_image *image, mf_layout *empty) {
    if (layout == NULL && image != NULL && image->state.layout != NULL) {
        const image_state *state = &image->state;
        return (creation){state->layout, state->start, state->heap, state->heap_top, image};
    }
    mf_layout *shared = layout != NULL ? (mf_layout *)layout : empty;
    return (creation){shared, shared, shared->heap, shared->heap.base, image};
}

void memory_keep_creation(mf_memory *memory, creation from) {
    memory->created = mf_layout_retain(from.layout);
    memory->start = mf_layout_retain(from.start);
    memory->heap = from.heap;
    memory->start_top = from.top;
    memory->image = mf_image_retain(from.image);
}

/* The heap as created. */
void memory_apply_heap(mf_memory *memory) {
    uint64_t end = page_ceil(memory->start_top);
    memory->heap_top = memory->start_top;
    memory->grown_from = end;
    memory->grown_to = end;
    views_publish_heap_end(memory, end);
}

void memory_apply_start(mf_memory *memory, page_run pages) {
    layout_walk walk = layout_walk_begin(memory->start, pages);
    page_run part;
    mf_perm perm;
    while (layout_walk_next(&walk, &part, &perm))
        if (perm != MF_PERM_NONE)
            perm_table_set(&memory->table, part, perm);
}
