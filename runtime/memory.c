/* Memories: life, views, state. */
#include "memory_impl.h"
#include "os.h"

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
    if (view->memory == NULL) {
        return;
    }
    mf_view *before = &view->memory->view;
    while (before->next != view) {
        before = before->next;
    }
    before->next = view->next;
    *view = (mf_view){0};
}

void mf_memory_publish_fingerprint(mf_memory *memory, uint64_t fingerprint) {
    for (mf_view *view = &memory->view; view != NULL; view = view->next) {
        view->layout_fingerprint = fingerprint;
    }
}

void mf_memory_publish_heap_end(mf_memory *memory, uint64_t heap_end) {
    for (mf_view *view = &memory->view; view != NULL; view = view->next) {
        view->heap_end = heap_end;
    }
}

static void clear_faults(mf_memory *memory) {
    for (mf_view *view = &memory->view; view != NULL; view = view->next) {
        view->fault = (mf_fault){0};
    }
}

/* ---- Life ---------------------------------------------------------------------------------- */

static const mf_backend_ops *ops_of(mf_backend backend) {
    static const mf_backend_ops *const all[] = {[MF_BACKEND_COPY] = &mf_backend_copy_ops};
    return (unsigned)backend < sizeof all / sizeof all[0] ? all[backend] : NULL;
}

void mf_memory_destroy(mf_memory *memory) {
    if (memory == NULL) {
        return;
    }
    memory->ops->close(memory);
    mf_os_release(memory->perms, MF_PERM_TABLE_PAGES);
    mf_layout_release(memory->created);
    mf_layout_release(memory->current);
    mf_image_release(memory->image);
    mf_os_free(memory);
}

static bool open_table(mf_memory *memory) {
    memory->perms = mf_os_reserve(MF_PERM_TABLE_PAGES);
    memory->view.perms = memory->perms;
    return memory->perms != NULL && mf_os_commit(memory->perms, MF_PERM_TABLE_PAGES);
}

/* A memory with an empty table and no bytes, or NULL. Keeps references of `layout` and `image`. */
static mf_memory *open_memory(const mf_layout *layout, const mf_image *image, mf_backend backend) {
    mf_memory *memory = mf_os_allocate(sizeof *memory);
    if (memory == NULL) {
        return NULL;
    }
    memory->view.memory = memory;
    memory->ops = ops_of(backend);
    memory->backend = backend;
    memory->created = mf_layout_retain(layout);
    memory->image = mf_image_retain(image);
    memory->heap_top = memory->created->heap.base;
    memory->view.heap_end = memory->heap_top;
    if (!open_table(memory) || !memory->ops->open(memory)) {
        mf_memory_destroy(memory);
        return NULL;
    }
    return memory;
}

/* How far bytes must exist from the start: regions, the largest heap, and the image's bytes anywhere. */
static uint64_t creation_end(const mf_memory *memory) {
    uint64_t end = mf_layout_len(memory->created);
    uint64_t heap_end = mf_heap_limit(memory->created->heap);
    uint64_t image_end = memory->image != NULL ? mf_page_ceil(memory->image->end) : 0;
    end = heap_end > end ? heap_end : end;
    return image_end > end ? image_end : end;
}

void mf_memory_apply_creation(mf_memory *memory) {
    const mf_layout *layout = memory->created;
    for (size_t i = 0; i < layout->run_count; i++) {
        mf_page_run run = {layout->runs[i].first, layout->runs[i].end};
        mf_memory_set_table(memory, run, (mf_perm)layout->runs[i].perm);
    }
    size_t chunk_count = memory->image != NULL ? memory->image->chunk_count : 0;
    for (size_t i = 0; i < chunk_count; i++) {
        const mf_chunk *chunk = memory->image->chunks[i];
        memory->ops->write(memory, chunk->start, chunk->bytes, chunk->count);
    }
    memory->heap_top = layout->heap.base;
    mf_memory_publish_heap_end(memory, layout->heap.base);
}

static mf_status create(const mf_layout *layout, const mf_image *image, mf_backend backend,
                        mf_memory **memory, mf_diag *diag) {
    mf_memory *made = open_memory(layout, image, backend);
    if (made == NULL) {
        return mf_memory_exhausted(diag);
    }
    if (!made->ops->extend(made, creation_end(made)) || !made->ops->set_layout(made, layout)) {
        mf_memory_destroy(made);
        return mf_memory_exhausted(diag);
    }
    mf_memory_apply_creation(made);
    made->current = mf_layout_retain(layout);
    made->view.layout_fingerprint = layout->fingerprint;
    *memory = made;
    return MF_OK;
}

mf_status mf_memory_create(const mf_layout *layout, const mf_image *image, mf_backend backend,
                           mf_memory **memory, mf_diag *diag) {
    if (ops_of(backend) == NULL) {
        return mf_diag_set(diag, MF_INVALID_ARGUMENT, (uint64_t)backend, "there is no such backend");
    }
    if (layout != NULL) {
        return create(layout, image, backend, memory, diag);
    }
    mf_layout *empty = mf_layout_begin(0);
    if (empty == NULL) {
        return mf_memory_exhausted(diag);
    }
    mf_layout_seal(empty, (mf_heap){0});
    mf_status status = create(empty, image, backend, memory, diag);
    mf_layout_release(empty);
    return status;
}

/* Tells the backend of a fresh clone about the permissions that `from` has. */
static bool clone_perms(mf_memory *clone, const mf_memory *from) {
    mf_page_run run = {0, 0};
    for (; run.first < from->len_pages; run.first = run.end) {
        run.end = mf_pages_find_change(from->perms, (mf_page_run){run.first, from->len_pages});
        mf_perm perm = (mf_perm)from->perms[run.first];
        if (perm != MF_PERM_NONE && !clone->ops->set_perms(clone, run, perm)) {
            return false;
        }
    }
    return true;
}

mf_status mf_memory_clone(const mf_memory *memory, mf_memory **clone, mf_diag *diag) {
    mf_memory *made = open_memory(memory->created, memory->image, memory->backend);
    if (made == NULL) {
        return mf_memory_exhausted(diag);
    }
    if (!made->ops->copy(made, memory) || !clone_perms(made, memory)) {
        mf_memory_destroy(made);
        return mf_memory_exhausted(diag);
    }
    mf_os_copy_nonzero(made->perms, memory->perms, memory->len_pages);
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
    if (memory->current == NULL || !mf_layout_equal(memory->current, memory->created)) {
        mf_memory_forget_layout(memory);
    }
}

mf_status mf_memory_reset(mf_memory *memory, mf_diag *diag) {
    if (!memory->ops->set_layout(memory, memory->created)) {
        return mf_memory_exhausted(diag);
    }
    memory->ops->zero(memory, (mf_page_run){0, MF_SPACE_PAGES});
    mf_os_zero(memory->perms, MF_PERM_TABLE_PAGES);
    memory->len_pages = 0;
    mf_memory_apply_creation(memory);
    restore_layout(memory);
    clear_faults(memory);
    return MF_OK;
}

/* ---- State --------------------------------------------------------------------------------- */

mf_perm mf_memory_perm_of(const mf_memory *memory, uint32_t address) {
    return (mf_perm)memory->perms[address >> MF_PAGE_LOG2];
}

uint64_t mf_memory_len(const mf_memory *memory) {
    return mf_page_bytes(memory->len_pages);
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
    return memory->backend;
}
