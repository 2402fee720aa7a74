/* Freezing: what a memory is now becomes an image. */
#include "live_layout.h"
#include "memory_impl.h"
#include "sharing.h"

/* ---- The pages that have bytes ------------------------------------------------------------- */

typedef struct page_search {
    const mf_memory *memory;
    run_list pages;
} page_search;

/* Pages of zeros are left out, but those without permission, which cannot be read everywhere. */
static bool add_written(void *context, size_t offset, size_t bytes, bool is_certain) {
    page_search *search = context;
    const mf_memory *memory = search->memory;
    page_run run = page_run_of(offset, bytes);
    (void)is_certain;
    for (uint32_t page = run.first; page < run.end; page++) {
        bool is_zero = perms_at(memory->table.perms, page) != MF_PERM_NONE &&
                       page_is_zero(memory->view.base + page_bytes(page));
        if (!is_zero && !run_list_append(&search->pages, (page_run){page, page + 1}))
            return false;
    }
    return true;
}

static bool find_pages(mf_memory *memory, run_list *pages) {
    page_search search = {.memory = memory};
    bool is_done = memory->ops->visit_written(memory, add_written, &search);
    for (size_t i = 0; is_done && i < memory->backed.count; i++)
        is_done = run_list_append(&search.pages, memory->backed.runs[i].pages);
    is_done = is_done && run_list_unite(&search.pages);
    *pages = search.pages;
    return is_done;
}

/* ---- The image ----------------------------------------------------------------------------- */

static bool read_run(mf_memory *memory, mf_image *image, page_run run) {
    for (size_t i = image_find(image, run.first); !run_is_empty(run); i++) {
        const image_run *to = &image->runs[i];
        page_run part = run_common(run, to->pages);
        if (!memory->ops->read(memory, part, to->bytes + page_bytes(part.first - to->pages.first)))
            return false;
        run.first = part.end;
    }
    return true;
}

static bool read_pages(mf_memory *memory, mf_image *image, const run_list *pages) {
    for (size_t i = 0; i < pages->count; i++)
        if (!read_run(memory, image, pages->runs[i]))
            return false;
    return true;
}

static mf_image *make_image(mf_memory *memory, image_state state) {
    run_list pages = {0};
    mf_image *image = NULL;
    if (find_pages(memory, &pages)) {
        image = image_begin(&pages, state);
        if (image != NULL && !read_pages(memory, image, &pages)) {
            mf_image_release(image);
            image = NULL;
        }
    } else {
        image_state_release(&state);
    }
    run_list_fini(&pages);
    return image;
}

mf_status mf_memory_freeze(mf_memory *memory, mf_image **image, mf_diag *diag) {
    mf_layout *layout;
    mf_status status = mf_memory_layout(memory, &layout, diag);
    if (status != MF_OK)
        return status;
    image_state state = {
        .layout = layout,
        .start = live_layout_of_every_page(memory),
        .heap = memory->heap,
        .heap_top = memory->heap_top,
    };
    mf_image *made = state.start != NULL ? make_image(memory, state) : NULL;
    if (state.start == NULL)
        mf_layout_release(layout);
    if (made == NULL)
        return memory_exhausted(diag);
    image_finish(made);
    sharing_adopt(memory, made);
    memory->has_lost_pages |= sharing_has_foreign(memory);
    *image = made;
    return MF_OK;
}
