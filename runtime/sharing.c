/* Mappings of images: made, taken back, and what is none. */
#include "sharing.h"
#include "layout_walk.h"

/* The page run, inside one shared run of the image, is a mapping of it. */
static bool map_run(mf_memory *memory, page_run run, mf_perm perm, const mf_image *image) {
    const image_run *shared = &image->runs[image_find(image, run.first)];
    size_t offset = shared->offset + page_bytes(run.first - shared->pages.first);
    if (!backed_reserve(&memory->backed, 1) ||
        !memory->ops->map_image(memory, run, perm, image->shared, offset))
        return false;
    backed_add(&memory->backed, run, image);
    return true;
}

/* ---- New memories -------------------------------------------------------------------------- */

void sharing_build(mf_memory *memory) {
    for (size_t i = 0; i < memory_image_run_count(memory); i++) {
        const image_run *run = &memory->image->runs[i];
        if (run->is_shared && !map_run(memory, run->pages, MF_PERM_NONE, memory->image))
            return;
    }
}

void sharing_clone(mf_memory *memory, const mf_memory *from) {
    for (size_t i = 0; i < from->backed.count; i++) {
        const backed_run *run = &from->backed.runs[i];
        if (!map_run(memory, run->pages, MF_PERM_NONE, run->image))
            return;
    }
}

/* ---- Changes of mappings ------------------------------------------------------------------- */

/* The next part of a run by the permissions of creation, or all of it. */
static bool next_part(const mf_memory *memory, layout_walk *walk, page_run *part, mf_perm *perm) {
    if (memory->ops->maps_parts)
        return layout_walk_next(walk, part, perm);
    *part = walk->rest;
    *perm = MF_PERM_RW;
    walk->rest.first = walk->rest.end;
    return !run_is_empty(*part);
}

/* The mapping goes, part by part; parts that the host keeps stay. */
static void forget_run(mf_memory *memory, page_run run) {
    layout_walk walk = layout_walk_begin(memory->start, run);
    page_run part;
    mf_perm perm;
    while (next_part(memory, &walk, &part, &perm))
        if (backed_reserve(&memory->backed, 1) && memory->ops->map_zero(memory, part, perm))
            backed_remove(&memory->backed, part);
}

static void share_run(mf_memory *memory, page_run run) {
    layout_walk walk = layout_walk_begin(memory->start, run);
    page_run part;
    mf_perm perm;
    while (next_part(memory, &walk, &part, &perm))
        map_run(memory, part, perm, memory->image);
}

static bool share_part(void *context, page_run part) {
    mf_memory *memory = context;
    size_t at = image_find(memory->image, part.first);
    if (memory->image->runs[at].is_shared && !backed_has_any(&memory->backed, part))
        share_run(memory, part);
    return true;
}

/* From the end on, because what goes moves what lies behind. */
void sharing_return(mf_memory *memory) {
    for (size_t i = memory->backed.count; i-- > 0;) {
        backed_run run = memory->backed.runs[i];
        if (run.image != memory->image)
            forget_run(memory, run.pages);
    }
    sharing_visit_unshared(memory, (page_run){0, MF_SPACE_PAGES}, share_part, memory);
}

/* The place of a mapping of another image. */
static void adopt_run(mf_memory *memory, page_run run, mf_perm perm, const mf_image *image) {
    const image_run *shared = &image->runs[image_find(image, run.first)];
    size_t offset = shared->offset + page_bytes(run.first - shared->pages.first);
    if (!backed_reserve(&memory->backed, 2) ||
        !memory->ops->map_image(memory, run, perm, image->shared, offset))
        return;
    backed_remove(&memory->backed, run);
    backed_add(&memory->backed, run, image);
}

void sharing_adopt(mf_memory *memory, const mf_image *image) {
    for (size_t i = 0; i < image->run_count; i++) {
        page_run rest = image->runs[i].pages;
        while (image->runs[i].is_shared && rest.first < rest.end) {
            page_run part = memory->ops->maps_parts ? perms_next_run(memory->table.perms, &rest) : rest;
            rest.first = part.end;
            adopt_run(memory, part, (mf_perm)memory->table.perms[part.first], image);
        }
    }
}

/* ---- What is no mapping -------------------------------------------------------------------- */

bool sharing_has_image(const mf_memory *memory, page_run run) {
    if (memory->image == NULL)
        return false;
    size_t at = image_find(memory->image, run.first);
    return at < memory->image->run_count && memory->image->runs[at].pages.first < run.end;
}

/* The pages of `run` that are no mappings of `image`; a visit may change the list behind what it is given. */
static bool visit_gaps(const mf_memory *memory, page_run run, sharing_visit *visit, void *context) {
    const backed_list *list = &memory->backed;
    while (!run_is_empty(run)) {
        size_t at = backed_find(list, run.first);
        while (at < list->count && list->runs[at].image != memory->image)
            at++;
        page_run next = at < list->count ? list->runs[at].pages : (page_run){run.end, run.end};
        page_run gap = {run.first, next.first < run.end ? next.first : run.end};
        if (!run_is_empty(gap) && !visit(context, gap))
            return false;
        run.first = next.end > gap.end ? next.end : gap.end;
    }
    return true;
}

bool sharing_visit_unshared(const mf_memory *memory, page_run within, sharing_visit *visit, void *context) {
    for (size_t i = 0; i < memory_image_run_count(memory); i++) {
        page_run run = run_common(memory->image->runs[i].pages, within);
        if (!run_is_empty(run) && !visit_gaps(memory, run, visit, context))
            return false;
    }
    return true;
}

bool sharing_has_foreign_in(const mf_memory *memory, page_run run) {
    const backed_list *list = &memory->backed;
    for (size_t i = backed_find(list, run.first); i < list->count && list->runs[i].pages.first < run.end; i++)
        if (list->runs[i].image != memory->image)
            return true;
    return false;
}

bool sharing_has_foreign(const mf_memory *memory) {
    return sharing_has_foreign_in(memory, (page_run){0, MF_SPACE_PAGES});
}

bool sharing_visit_foreign(const mf_memory *memory, sharing_visit *visit, void *context) {
    for (size_t i = 0; i < memory->backed.count; i++) {
        backed_run run = memory->backed.runs[i];
        if (run.image != memory->image && !visit(context, run.pages))
            return false;
    }
    return true;
}

page_run sharing_first_begun(const mf_memory *memory, page_run run) {
    page_run first = {run.end, run.end};
    size_t image_at = memory->image != NULL ? image_find(memory->image, run.first) : 0;
    size_t backed_at = backed_find(&memory->backed, run.first);
    if (image_at < memory_image_run_count(memory)) {
        page_run part = run_common(memory->image->runs[image_at].pages, run);
        first = run_is_empty(part) ? first : part;
    }
    if (backed_at < memory->backed.count) {
        page_run part = run_common(memory->backed.runs[backed_at].pages, run);
        first = run_is_empty(part) || part.first >= first.first ? first : part;
    }
    return first;
}

/* ---- Written pages -------------------------------------------------------------------------- */

bool sharing_visit_written(void *written, size_t offset, size_t bytes, bool is_certain) {
    const sharing_written *to = written;
    return to->visit(to->context, to->start + offset, bytes, is_certain);
}

static bool visit_zero(void *written, size_t offset, size_t bytes, bool is_certain) {
    const sharing_written *to = written;
    page_run run = page_run_of(to->start + offset, bytes);
    page_run part;
    while (!run_is_empty(part = sharing_first_begun(to->memory, run))) {
        if (!to->visit(to->context, page_bytes(part.first), page_bytes(part.end - part.first), is_certain))
            return false;
        run.first = part.end;
    }
    return true;
}

os_visit *sharing_zero_visit(const mf_memory *memory) {
    return memory->image != NULL || memory->backed.count > 0 ? visit_zero : NULL;
}

/* ---- Reset of few pages -------------------------------------------------------------------- */

void memory_restore_small(mf_memory *memory, const page_run *runs, size_t count) {
    memory->written_pages = 0;
    for (size_t i = 0; i < count; i++) {
        image_restore(memory->image, memory->view.base, runs[i], true);
        memory->written_pages += runs[i].end - runs[i].first;
    }
}
