/* Where a page fault goes on: the decision, without how the host reports a fault and resumes a thread. */
#ifndef MEMFOLD_RUNTIME_X86_PAGED_RESOLVE_H
#define MEMFOLD_RUNTIME_X86_PAGED_RESOLVE_H

#include <memfold/abi.h>

#include <stdbool.h>

/* A data access of the CPU that failed; `host_address` is the lowest inaccessible byte it touched. */
typedef struct page_fault {
    uintptr_t host_address;
    uintptr_t host_pc;
    mf_operation operation;
    bool may_be_granted; /* nobody has looked yet whether the page can be accessed by now */
} page_fault;

/*
 * Where the thread goes on: at `host_pc`, or if that is 0 by leaving the guard frame (guard_impl.h). Where it
 * is that of the fault the instruction is executed again.
 */
typedef struct page_fault_fixup {
    uintptr_t host_pc;
    struct mf_guard *frame;
} page_fault_fixup;

/*
 * True if the fault is the guest's; if a guard frame is to be left, the fault is recorded in its view. A
 * fixup records by itself: its code calls mf_rt_fault_v3. False if the fault is somebody else's. On the
 * thread that faulted; async-signal-safe.
 */
bool page_fault_resolve(const page_fault *fault, page_fault_fixup *fixup);

/*
 * For an access that the guest may do and the host cannot let it: the innermost guard frame of this thread
 * that is of a memory there, in whose view a record of no fault says where it was. NULL, and nothing is
 * recorded, if there is none.
 */
struct mf_guard *page_fault_leave(const page_fault *fault);

#endif
