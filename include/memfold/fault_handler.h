/*
 * The fault handler of the x86_paged backend on Linux: SIGSEGV and SIGBUS.
 *
 * It takes a fault only if the fault address lies in the window of a paged memory, and either the faulting
 * instruction is in the exception table (it then continues at its fault edge), or a guard frame of a view of
 * that memory is active on the faulting thread (the fault is then recorded and the frame is left). Registers,
 * signal mask and alternate stack are as they were. Every other fault goes to the handler that was
 * installed before, as if memfold were not there, or to the default action.
 *
 * It takes no lock, allocates nothing and touches no thread-local storage that is not there yet; it works in
 * any thread, inside other signal handlers, and on an alternate stack if the thread has one (SA_ONSTACK).
 *
 * A host that installs a SIGSEGV or SIGBUS handler of its own later must pass faults that are not its own on
 * to the one it finds. After fork the child has the handler, the memories (copy-on-write) and the tables.
 *
 * Example, for programs that want it before their first memory:
 *
 *     #include <memfold/fault_handler.h>
 *     #include <stdio.h>
 *
 *     int main(void) {
 *         mf_diag diag;
 *         mf_status status = mf_fault_handler_install(&diag);
 *         if (status != MF_OK) {
 *             fprintf(stderr, "%s\n", diag.message);
 *             return status == MF_INVALID_ARGUMENT ? 0 : 1; // no x86-64: there is no such backend
 *         }
 *         // Handlers installed from here on pass what is not theirs on to memfold's.
 *         mf_fault_handler_uninstall();
 *         return 0;
 *     }
 */
#ifndef MEMFOLD_FAULT_HANDLER_H
#define MEMFOLD_FAULT_HANDLER_H

#include <memfold/public.h>
#include <memfold/status.h>

MF_PUBLIC_BEGIN

/*
 * The handler is installed, and stays until it is uninstalled as often as it was installed. Each paged memory
 * installs it once for its own life, so few programs call this: those that want the order of handlers settled
 * before their first memory. MF_IO if the kernel refuses (the value is errno); MF_INVALID_ARGUMENT where
 * memfold has no x86_paged backend on Linux. Any thread; not in a signal handler (it takes a lock).
 */
mf_status mf_fault_handler_install(mf_diag *diag);

/*
 * At the last of as many calls as there were installations the handlers from before are back, unless somebody
 * has installed another on top of ours, which is then left alone and still passes through ours to them. Never
 * fails; more calls than installations are a programmer's mistake. Any thread; not in a signal handler.
 */
void mf_fault_handler_uninstall(void);

MF_PUBLIC_END

#endif
