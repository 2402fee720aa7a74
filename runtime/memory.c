/* Memories: life and state. */
#include "live_layout.h"
#include "memory_impl.h"
#include "memory_start.h"
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
    backed_fini(&memory->backed);
    os_page_map_release();
    mf_layout_release(memory->created);
    mf_layout_release(memory->start);
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

/* A memory with an empty table and no bytes. Keeps references of what is in `from`. */
static mf_status open_memory(creation from, mf_memory_config config, mf_memory **memory, mf_diag *diag) {
    mf_memory *made = os_allocate(sizeof *made);
    if (made == NULL)
        return memory_exhausted(diag);
    os_page_map_retain();
    made->view.memory = made;
    made->view.u33_stamp = MF_LAYOUT_STAMP_REFUSED;
    made->ops = ops_of(config.backend);
    made->config = config;
    memory_keep_creation(made, from);
    memory_apply_heap(made);
    mf_status status = open_parts(made, diag);
    if (status != MF_OK) {
        mf_memory_destroy(made);
        return status;
    }
    *memory = made;
    return MF_OK;
}

static mf_status create(creation from, mf_memory_config config, mf_memory **memory, mf_diag *diag) {
    mf_memory *made;
    mf_status status = open_memory(from, config, &made, diag);
    if (status != MF_OK)
        return status;
    status = memory_max_check(made, creation_end(&from), diag);
    if (status == MF_OK && !made->ops->build(made))
        status = memory_exhausted(diag);
    if (status != MF_OK) {
        mf_memory_destroy(made);
        return status;
    }
    memory_apply_start(made, every_page);
    made->current = mf_layout_retain(from.layout);
    views_publish_stamp(made, MF_LAYOUT_STAMP(from.layout->fingerprint, config.backend));
    *memory = made;
    return MF_OK;
}

static mf_status create_empty(const mf_image *image, mf_memory_config config, mf_memory **memory,
                              mf_diag *diag) {
    mf_layout *empty = layout_begin(0);
    if (empty == NULL)
        return memory_exhausted(diag);
    layout_seal(empty, (mf_heap){0});
    mf_status status = create(creation_of(NULL, image, empty), config, memory, diag);
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
    bool is_empty = layout == NULL && (image == NULL || image->state.layout == NULL);
    return is_empty ? create_empty(image, *config, memory, diag)
                    : create(creation_of(layout, image, NULL), *config, memory, diag);
}

mf_status mf_memory_create(const mf_layout *layout, const mf_image *image, mf_backend backend,
                           mf_memory **memory, mf_diag *diag) {
    return mf_memory_create_with(layout, image, &(mf_memory_config){.backend = backend}, memory, diag);
}

/* The table of a memory just opened. */
static void clone_table(mf_memory *memory, const mf_memory *from) {
    live_walk walk = live_walk_begin(from);
    layout_run run;
    while (live_walk_next(&walk, &run))
        perm_table_set(&memory->table, (page_run){run.first, run.end}, (mf_perm)run.perm);
}

mf_status mf_memory_clone(const mf_memory *memory, mf_memory **clone, mf_diag *diag) {
    mf_memory *made;
    mf_status status = open_memory(memory_creation(memory), memory->config, &made, diag);
    if (status != MF_OK)
        return status;
    clone_table(made, memory);
    if (!made->ops->clone(made, (mf_memory *)memory)) {
        mf_memory_destroy(made);
        return memory_exhausted(diag);
    }
    made->changed = memory->changed;
    made->has_lost_pages = memory->has_lost_pages;
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
 * The permissions and the layout of creation are in force again. The table is touched where it may differ;
 * what sbrk has added lies above the heap of creation.
 */
static void restore_layout(mf_memory *memory) {
    page_run grown = memory_grown_heap(memory);
    uint32_t len_pages = (uint32_t)(mf_layout_len(memory->start) >> MF_PAGE_LOG2);
    perm_table_cut(&memory->table, grown, memory->table.len_pages);
    perm_table_cut(&memory->table, memory->changed, len_pages);
    memory_apply_start(memory, run_common(memory->changed, (page_run){0, len_pages}));
    memory->changed = (page_run){0, 0};
    memory_apply_heap(memory);
    mf_layout_release(memory->current);
    memory->current = mf_layout_retain(memory->created);
    views_publish_stamp(memory, MF_LAYOUT_STAMP(memory->created->fingerprint, memory->config.backend));
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
    return memory->heap.base;
}

uint64_t mf_memory_heap_top(const mf_memory *memory) {
    return __atomic_load_n(&memory->heap_top, __ATOMIC_ACQUIRE);
}

uint32_t mf_memory_max_heap_pages(const mf_memory *memory) {
    return memory->heap.max_pages;
}

mf_memory_index mf_memory_index_of(const mf_memory *memory) {
    return memory->config.index;
}

mf_backend mf_memory_backend(const mf_memory *memory) {
    return memory->config.backend;
}
