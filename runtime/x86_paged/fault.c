/* The decision about a page fault. */
#include "fault.h"
#include "fault_impl.h"
#include "guard_impl.h"
#include "windows.h"

#include <memfold/exception_table.h>

/*
 * The CPU names the first inaccessible byte, so the classifier finds its page; NONE and RO it cannot tell
 * apart, but the live permissions can. How long the access was nobody knows here.
 */
static void record(mf_view *view, uint64_t index, mf_operation operation) {
    view->fault = mf_fault_classify(view->perms, index, 1, operation, 0);
    view->fault.length = 0;
}

static uintptr_t base_of(const mf_view *view) {
    return (uintptr_t)view->base;
}

/* Windows of different address spaces may overlap; the thread has frames of those that it uses. */
static struct mf_guard *find_frame(uintptr_t host_address) {
    struct mf_guard *frame = mf_guard_innermost();
    while (frame != NULL && !mf_window_at_is_around(base_of(mf_guard_view(frame)), host_address))
        frame = mf_guard_outer(frame);
    return frame;
}

bool mf_page_fault_resolve(const mf_page_fault *fault, mf_page_fault_exit *way) {
    if (!mf_window_is_around(fault->host_address))
        return false;
    *way = (mf_page_fault_exit){.host_pc = mf_exception_table_lookup(fault->host_pc)};
    if (way->host_pc != 0)
        return true;
    way->frame = find_frame(fault->host_address);
    if (way->frame == NULL)
        return false;
    mf_view *view = mf_guard_view(way->frame);
    record(view, fault->host_address - base_of(view), fault->operation);
    return true;
}
