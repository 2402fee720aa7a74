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

bool mf_page_fault_resolve(const mf_page_fault *fault, mf_page_fault_exit *way) {
    uintptr_t start;
    if (!mf_window_find(fault->host_address, &start)) {
        return false;
    }
    *way = (mf_page_fault_exit){.host_pc = mf_exception_table_lookup(fault->host_pc)};
    if (way->host_pc != 0) {
        return true;
    }
    way->frame = mf_guard_find((const unsigned char *)start);
    if (way->frame == NULL) {
        return false;
    }
    record(mf_guard_view(way->frame), fault->host_address - start, fault->operation);
    return true;
}
