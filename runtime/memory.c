/* Memories: life, views, state. */
#include "memory_impl.h"
#include "os.h"

#include <string.h>

/* ---- Views --------------------------------------------------------------------------------- */

mf_view *mf_memory_view(mf_memory *memory) {
    return &memory->view;
}

void mf_view_attach(mf_view *view, mf_memory *memory) {
    *view = memory->view;
    view->fault = (mf_fault){0};
    view->guard = NULL;
    memory->view.next = view;
}

void mf_view_detach(mf_view *view) {
    if (view->memory == NULL)
        return;
    mf_view *before = &view->memory->view;
    while (before->next != view)
        before = before->next;
    before->next = view->next;
    *view = (mf_view){0};
}

void views_publish_fingerprint(mf_memory *memory, uint64_t fingerprint) {
    for (mf_view *view = &memory->view; view != NULL; view = view->next)
        view->layout_fingerprint = fingerprint;
}

void views_publish_heap_end(mf_memory *memory, uint64_t heap_end) {
    for (mf_view *view = &memory->view; view != NULL; view = view->next)
        view->heap_end = heap_end;
}

static void clear_faults(mf_memory *memory) {
    for (mf_view *view = &memory->view; view != NULL; view = view->next)
        view->fault = (mf_fault){0};
}

/* ---- Life ---------------------------------------------------------------------------------- */

static const backend_ops *ops_of(mf_backend backend) {
    switch (backend) {
    case MF_BACKEND_COPY:
        return backend_copy;
    case MF_BACKEND_X86_PAGED:
        return backend_x86_paged;
    }
    return NULL;
}

void mf_memory_destroy(mf_memory *memory) {
    if (memory == NULL)
        return;
    memory->ops->close(memory);
    os_release(memory->perms, MF_PERM_TABLE_PAGES);
    mf_layout_release(memory->created);
    mf_layout_release(memory->current);
    mf_image_release(memory->image);
    os_free(memory);
}

static bool open_table(mf_memory *memory) {
    memory->perms = os_reserve(MF_PERM_TABLE_PAGES, 0);
    memory->view.perms = memory->perms;
    return memory->perms != NULL && os_commit(memory->perms, MF_PERM_TABLE_PAGES);
}

static mf_status open_parts(mf_memory *memory, mf_diag *diag) {
    return open_table(memory) ? memory->ops->open(memory, diag) : memory_exhausted(diag);
}

/* A memory with an empty table and no bytes. Keeps references of `layout` and `image`. */
static mf_status open_memory(const mf_layout *layout, const mf_image *image, mf_memory_config config,
                             mf_memory **memory, mf_diag *diag) {
    mf_memory *made = os_allocate(sizeof *made);
    if (made == NULL)
        return memory_exhausted(diag);
    made->view.memory = made;
    made->ops = ops_of(config.backend);
    made->config = config;
    made->created = mf_layout_retain(layout);
    made->image = mf_image_retain(image);
    made->heap_top = made->created->heap.base;
    made->view.heap_end = made->heap_top;
    mf_status status = open_parts(made, diag);
    if (status != MF_OK) {
        mf_memory_destroy(made);
        return status;
    }
    *memory = made;
    return MF_OK;
}

uint64_t memory_creation_end(const mf_memory *memory) {
    uint64_t end = mf_layout_len(memory->created);
    uint64_t image_end = memory->image != NULL ? page_ceil(memory->image->end) : 0;
    return image_end > end ? image_end : end;
}

/* The live table, all NONE before, and the heap as created. */
static void apply_creation(mf_memory *memory) {
    const mf_layout *layout = memory->created;
    for (size_t i = 0; i < layout->run_count; i++) {
        page_run run = {layout->runs[i].first, layout->runs[i].end};
        memory_set_table(memory, run, (mf_perm)layout->runs[i].perm);
    }
    memory->heap_top = layout->heap.base;
    views_publish_heap_end(memory, layout->heap.base);
}

static mf_status create(const mf_layout *layout, const mf_image *image, mf_memory_config config,
                        mf_memory **memory, mf_diag *diag) {
    mf_memory *made;
    mf_status status = open_memory(layout, image, config, &made, diag);
    if (status != MF_OK)
        return status;
    if (!made->ops->build(made)) {
        mf_memory_destroy(made);
        return memory_exhausted(diag);
    }
    apply_creation(made);
    made->current = mf_layout_retain(layout);
    made->view.layout_fingerprint = layout->fingerprint;
    *memory = made;
    return MF_OK;
}

static mf_status create_empty(const mf_image *image, mf_memory_config config, mf_memory **memory,
                              mf_diag *diag) {
    mf_layout *empty = layout_begin(0);
    if (empty == NULL)
        return memory_exhausted(diag);
    layout_seal(empty, (mf_heap){0});
    mf_status status = create(empty, image, config, memory, diag);
    mf_layout_release(empty);
    return status;
}

mf_status mf_memory_create_with(const mf_layout *layout, const mf_image *image,
                                const mf_memory_config *config, mf_memory **memory, mf_diag *diag) {
    if (ops_of(config->backend) == NULL) {
        return mf_diag_set(diag, MF_INVALID_ARGUMENT, (uint64_t)config->backend,
                           "there is no such backend here");
    }
    if (config->huge_pages != MF_HUGE_PAGES_ALLOWED && config->huge_pages != MF_HUGE_PAGES_NEVER) {
        return mf_diag_set(diag, MF_INVALID_ARGUMENT, (uint64_t)config->huge_pages,
                           "huge pages are either allowed or never used");
    }
    return layout != NULL ? create(layout, image, *config, memory, diag)
                          : create_empty(image, *config, memory, diag);
}

mf_status mf_memory_create(const mf_layout *layout, const mf_image *image, mf_backend backend,
                           mf_memory **memory, mf_diag *diag) {
    return mf_memory_create_with(layout, image, &(mf_memory_config){.backend = backend}, memory, diag);
}

mf_status mf_memory_clone(const mf_memory *memory, mf_memory **clone, mf_diag *diag) {
    mf_memory *made;
    mf_status status = open_memory(memory->created, memory->image, memory->config, &made, diag);
    if (status != MF_OK)
        return status;
    if (!made->ops->copy(made, memory)) {
        mf_memory_destroy(made);
        return memory_exhausted(diag);
    }
    os_copy_written(made->perms, memory->perms, memory->len_pages);
    made->len_pages = memory->len_pages;
    made->heap_top = memory->heap_top;
    made->view.heap_end = memory->view.heap_end;
    made->current = mf_layout_retain(memory->current);
    made->view.layout_fingerprint = memory->view.layout_fingerprint;
    *clone = made;
    return MF_OK;
}

/* The layout of creation is in force again. If that is a change, the fingerprint must be asked for. */
static void restore_layout(mf_memory *memory) {
    if (memory->current == NULL || !mf_layout_equal(memory->current, memory->created))
        live_layout_drop(memory);
}

/* A short table is cheaper to overwrite than to give back and fault in again; it is zero from len_pages on.
 */
static void clear_table(mf_memory *memory) {
    const uint32_t short_pages = 64 * 1024;
    if (memory->len_pages <= short_pages)
        memset(memory->perms, MF_PERM_NONE, memory->len_pages);
    else
        os_zero(memory->perms, MF_PERM_TABLE_PAGES);
    memory->len_pages = 0;
}

mf_status mf_memory_reset(mf_memory *memory, mf_diag *diag) {
    if (!memory->ops->rebuild(memory))
        return memory_exhausted(diag);
    clear_table(memory);
    apply_creation(memory);
    restore_layout(memory);
    clear_faults(memory);
    return MF_OK;
}

/* ---- State --------------------------------------------------------------------------------- */

mf_perm mf_memory_perm_of(const mf_memory *memory, uint32_t address) {
    return (mf_perm)memory->perms[address >> MF_PAGE_LOG2];
}

uint64_t mf_memory_len(const mf_memory *memory) {
    return page_bytes(memory->len_pages);
}

uint32_t mf_memory_heap_base(const mf_memory *memory) {
    return memory->created->heap.base;
}

uint64_t mf_memory_heap_top(const mf_memory *memory) {
    return memory->heap_top;
}

uint32_t mf_memory_max_heap_pages(const mf_memory *memory) {
    return memory->created->heap.max_pages;
}

mf_backend mf_memory_backend(const mf_memory *memory) {
    return memory->config.backend;
}
