/* Memories: life and state. */
#include "live_layout.h"
#include "memory_impl.h"
#include "os.h"
#include "views.h"

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
    perm_table_close(&memory->table);
    mf_layout_release(memory->created);
    mf_layout_release(memory->current);
    mf_image_release(memory->image);
    os_free(memory);
}

static mf_status open_parts(mf_memory *memory, mf_diag *diag) {
    if (!perm_table_open(&memory->table))
        return memory_exhausted(diag);
    memory->view.perms = memory->table.perms;
    return memory->ops->open(memory, diag);
}

/* A memory with an empty table and no bytes. Keeps references of `layout` and `image`. */
static mf_status open_memory(const mf_layout *layout, const mf_image *image, mf_memory_config config,
                             mf_memory **memory, mf_diag *diag) {
    mf_memory *made = os_allocate(sizeof *made);
    if (made == NULL)
        return memory_exhausted(diag);
    made->view.memory = made;
    made->view.u33_stamp = MF_LAYOUT_STAMP_REFUSED;
    made->ops = ops_of(config.backend);
    made->config = config;
    made->created = mf_layout_retain(layout);
    made->image = mf_image_retain(image);
    made->heap_top = made->created->heap.base;
    made->grown_from = made->heap_top;
    made->grown_to = made->heap_top;
    made->view.heap_end = made->heap_top;
    mf_status status = open_parts(made, diag);
    if (status != MF_OK) {
        mf_memory_destroy(made);
        return status;
    }
    *memory = made;
    return MF_OK;
}

/* The runs of the layout that touch `pages` are in the live table. */
static void apply_runs(mf_memory *memory, const mf_layout *layout, page_run pages) {
    for (size_t i = 0; i < layout->run_count; i++) {
        page_run run = {layout->runs[i].first, layout->runs[i].end};
        if (run.first < pages.end && pages.first < run.end)
            perm_table_set(&memory->table, run, (mf_perm)layout->runs[i].perm);
    }
}

static const page_run every_page = {0, MF_SPACE_PAGES};

/* The live table, all NONE before, and the heap as created. */
static void apply_creation(mf_memory *memory, page_run pages) {
    apply_runs(memory, memory->created, pages);
    memory->heap_top = memory->created->heap.base;
    memory->grown_from = memory->heap_top;
    memory->grown_to = memory->heap_top;
    views_publish_heap_end(memory, memory->heap_top);
}

/* The pages that a known layout leaves to the heap: RW, and the only ones that differ from its runs. */
static page_run heap_pages(const mf_memory *memory, const mf_layout *layout) {
    uint64_t base = layout->heap.base;
    return base < memory->view.heap_end ? page_run_of(base, memory->view.heap_end - base) : (page_run){0, 0};
}

/* How far pages may have permissions or bytes without another change, those of the heap included. */
static uint64_t creation_max(const mf_memory *memory) {
    uint64_t end = memory_creation_end(memory);
    uint64_t heap_end = heap_limit(memory->created->heap);
    return heap_end > end ? heap_end : end;
}

static mf_status create(const mf_layout *layout, const mf_image *image, mf_memory_config config,
                        mf_memory **memory, mf_diag *diag) {
    mf_memory *made;
    mf_status status = open_memory(layout, image, config, &made, diag);
    if (status != MF_OK)
        return status;
    status = memory_max_check(made, creation_max(made), diag);
    if (status == MF_OK && !made->ops->build(made))
        status = memory_exhausted(diag);
    if (status != MF_OK) {
        mf_memory_destroy(made);
        return status;
    }
    apply_creation(made, every_page);
    made->current = mf_layout_retain(layout);
    views_publish_stamp(made, MF_LAYOUT_STAMP(layout->fingerprint, config.backend));
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
    if (config->empty_range != MF_EMPTY_ANYWHERE && config->empty_range != MF_EMPTY_WITHIN) {
        return mf_diag_set(diag, MF_INVALID_ARGUMENT, (uint64_t)config->empty_range,
                           "an empty range passes either anywhere or within what is accessible");
    }
    if (config->index != MF_MEMORY_U33 && config->index != MF_MEMORY_U32) {
        return mf_diag_set(diag, MF_INVALID_ARGUMENT, (uint64_t)config->index,
                           "a memory is made for 33-bit indices or for 32-bit ones");
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
    if (!made->ops->clone(made, memory)) {
        mf_memory_destroy(made);
        return memory_exhausted(diag);
    }
    perm_table_clone(&made->table, &memory->table);
    made->heap_top = memory->heap_top;
    made->grown_from = memory->grown_from;
    made->grown_to = memory->grown_to;
    made->view.heap_end = memory->view.heap_end;
    made->current = mf_layout_retain(memory->current);
    views_publish_stamp(made, memory->view.layout_stamp);
    *clone = made;
    return MF_OK;
}

/*
 * The permissions and the layout of creation are in force again. Where only the heap has grown, nothing else
 * of the table is touched; otherwise the fingerprint must be asked for again.
 */
static void restore_layout(mf_memory *memory) {
    if (memory->current != NULL && mf_layout_equal(memory->current, memory->created)) {
        page_run heap = heap_pages(memory, memory->created);
        perm_table_set(&memory->table, heap, MF_PERM_NONE);
        apply_creation(memory, heap);
    } else {
        perm_table_clear(&memory->table);
        apply_creation(memory, every_page);
        live_layout_drop(memory);
    }
}

mf_status mf_memory_reset(mf_memory *memory, mf_diag *diag) {
    if (!memory->ops->rebuild(memory))
        return memory_exhausted(diag);
    restore_layout(memory);
    views_clear_faults(memory);
    return MF_OK;
}

/* ---- State --------------------------------------------------------------------------------- */

mf_perm mf_memory_perm_of(const mf_memory *memory, uint32_t address) {
    return perms_at(memory->table.perms, address >> MF_PAGE_LOG2);
}

uint64_t mf_memory_len(const mf_memory *memory) {
    return page_bytes(perm_table_len_pages(&memory->table));
}

uint32_t mf_memory_heap_base(const mf_memory *memory) {
    return memory->created->heap.base;
}

uint64_t mf_memory_heap_top(const mf_memory *memory) {
    return __atomic_load_n(&memory->heap_top, __ATOMIC_ACQUIRE);
}

uint32_t mf_memory_max_heap_pages(const mf_memory *memory) {
    return memory->created->heap.max_pages;
}

mf_memory_index mf_memory_index_of(const mf_memory *memory) {
    return memory->config.index;
}

mf_backend mf_memory_backend(const mf_memory *memory) {
    return memory->config.backend;
}
