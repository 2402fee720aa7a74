/* Where a page fault goes on: at the fixup of its instruction, in the caller of a guard frame, or nowhere
 * here. */
#include "x86_paged/resolve.h"
#include "classify.h"
#include "guard_impl.h"
#include "perm_table.h"
#include "x86_paged/reservations.h"

#include <memfold/exception_table.h>

/*
 * The CPU names the first inaccessible byte. It does not tell NONE from RO, so the record's kind comes from
 * the live permissions; nor does it tell how long the access was, so the record's length is 0.
 */
static void record(mf_view *view, uint64_t index, mf_operation operation) {
    view->fault = classify_fault(view, index, 1, operation, 0);
    view->fault.length = 0;
}

static uintptr_t base_of(const mf_view *view) {
    return (uintptr_t)view->base;
}

/*
 * The innermost guard frame of this thread whose view has the reservation of the address. Reservations of
 * different address spaces may overlap, so the frames decide: the thread has those of memories that it uses.
 */
static struct mf_guard *find_frame(uintptr_t host_address) {
    struct mf_guard *frame = guard_frame_innermost();
    while (frame != NULL && !reservation_at_contains(base_of(guard_frame_view(frame)), host_address))
        frame = guard_frame_outer(frame);
    return frame;
}

/*
 * sbrk adds pages while others access the memory: the CPU's rights first, and then the live permissions. So
 * if these let the byte be accessed, the CPU does too, and the fault is of the time before.
 */
static bool is_granted(const reservation *r, const page_fault *fault) {
    uint64_t page = (fault->host_address - r->start) >> MF_PAGE_LOG2;
    return perms_at(r->perms, page) >= operation_least_perm(fault->operation);
}

/* The permissions are read only for the guest's faults: the memory of any other may be going. */
bool page_fault_resolve(const page_fault *fault, page_fault_fixup *fixup) {
    reservation r;
    if (!reservation_find(fault->host_address, &r))
        return false;
    *fixup = (page_fault_fixup){.host_pc = mf_exception_table_lookup(fault->host_pc)};
    if (fixup->host_pc == 0)
        fixup->frame = find_frame(fault->host_address);
    if (fixup->host_pc == 0 && fixup->frame == NULL)
        return false;
    if (fault->may_be_granted && is_granted(&r, fault)) {
        *fixup = (page_fault_fixup){.host_pc = fault->host_pc};
    } else if (fixup->frame != NULL) {
        mf_view *view = guard_frame_view(fixup->frame);
        record(view, fault->host_address - base_of(view), fault->operation);
    }
    return true;
}

struct mf_guard *page_fault_leave(const page_fault *fault) {
    struct mf_guard *frame = find_frame(fault->host_address);
    if (frame != NULL) {
        mf_view *view = guard_frame_view(frame);
        uint64_t index = fault->host_address - base_of(view);
        view->fault = (mf_fault){.kind = MF_FAULT_NONE,
                                 .operation = fault->operation,
                                 .page = index & ~(uint64_t)(MF_PAGE_SIZE - 1),
                                 .address = index};
    }
    return frame;
}
