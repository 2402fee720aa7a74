/* What becomes of a page fault: the decision, without the host's way of reporting and resuming. */
#ifndef MEMFOLD_RUNTIME_X86_PAGED_FAULT_H
#define MEMFOLD_RUNTIME_X86_PAGED_FAULT_H

#include <memfold/abi.h>

#include <stdbool.h>

/* A data access of the CPU that failed; `host_address` is the lowest inaccessible byte it touched. */
typedef struct mf_page_fault {
    uintptr_t host_address;
    uintptr_t host_pc;
    mf_operation operation;
} mf_page_fault;

/* Where to go on: at `host_pc`, or if that is 0 by leaving `frame` (guard_impl.h). */
typedef struct mf_page_fault_exit {
    uintptr_t host_pc;
    struct mf_guard *frame;
} mf_page_fault_exit;

/*
 * True if the fault is the guest's; it is then recorded if a frame is to be left. Otherwise it is somebody
 * else's. On the thread that faulted; async-signal-safe.
 */
bool mf_page_fault_resolve(const mf_page_fault *fault, mf_page_fault_exit *way);

#endif
