/* Views: attaching, detaching, and telling all of them what has changed. */
#include "views.h"
#include "memory_impl.h"
#include "panic_impl.h"

#ifdef NDEBUG

static void check_is_of(const mf_view *view, const mf_memory *memory) {
    (void)view;
    (void)memory;
}

#else

MF_NORETURN static void panic_for_moved_view(const mf_view *view, const mf_memory *memory) {
    panic_values("a view was moved or copied while attached: the one at ", (uint64_t)(uintptr_t)view,
                 " is not a view of the memory at ", (uint64_t)(uintptr_t)memory, "");
}

/* The view stands in the list of `memory`. Where it was moved away, something else may be there by now. */
static void check_is_of(const mf_view *view, const mf_memory *memory) {
    if (view->memory != memory)
        panic_for_moved_view(view, memory);
}

void view_check(const mf_view *view) {
    const mf_memory *memory = view->memory;
    const mf_view *at = memory != NULL ? &memory->view : view;
    while (at != view) {
        check_is_of(at, memory);
        at = at->next;
        if (at == NULL)
            panic_for_moved_view(view, memory);
    }
}

#endif

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
    view_check(view);
    mf_view *before = &view->memory->view;
    while (before->next != view)
        before = before->next;
    before->next = view->next;
    *view = (mf_view){0};
}

void views_publish_stamp(mf_memory *memory, uint64_t stamp) {
    for (mf_view *view = &memory->view; view != NULL; view = view->next) {
        check_is_of(view, memory);
        view->layout_stamp = stamp;
        if (memory->config.index == MF_MEMORY_U33)
            view->u33_stamp = stamp;
    }
}

void views_publish_heap_end(mf_memory *memory, uint64_t heap_end) {
    for (mf_view *view = &memory->view; view != NULL; view = view->next) {
        check_is_of(view, memory);
        __atomic_store_n(&view->heap_end, heap_end, __ATOMIC_RELEASE);
    }
}

void views_clear_faults(mf_memory *memory) {
    for (mf_view *view = &memory->view; view != NULL; view = view->next) {
        check_is_of(view, memory);
        view->fault = (mf_fault){0};
    }
}
