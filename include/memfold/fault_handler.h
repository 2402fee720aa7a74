/*
 * The fault handler of the x86_paged backend on Linux: SIGSEGV and SIGBUS.
 *
 * It takes a fault only if the fault address lies in the reservation of a paged memory, and either the
 * faulting instruction is in the exception table (it then continues at its fault edge), or a guard frame of a
 * view of that memory is active on the faulting thread (the fault is then recorded and the frame is left).
 * Registers, signal mask and alternate stack are as they were. Where sbrk has added the page meanwhile, the
 * instruction is executed again, once. Every other fault goes to the handler that was installed before, as if
 * memfold were not there, or to the default action.
 *
 * It takes no lock, allocates nothing and touches no thread-local storage that is not there yet; it works in
 * any thread, inside other signal handlers, and on an alternate stack if the thread has one (SA_ONSTACK). On
 * that stack it needs 1 KiB beyond what the kernel puts there (getauxval(AT_MINSIGSTKSZ)); a fault that is
 * not the guest's needs in addition what the handler below needs. Another signal's handler may interrupt it
 * and leave by siglongjmp: nothing is left behind.
 *
 * Handlers of the host. Whoever installs a SIGSEGV or SIGBUS handler later passes faults that are not its own
 * on to the one it finds. Each creation of a paged memory looks whether memfold's handler is on top, and puts
 * it on top if it is not, whatever is there; that is then passed on to. One that somebody has put back with
 * signal(), which loses its flags, gets them again. Until then the faults of older memories get as far as the
 * handler on top lets them. Handlers that pass on to each other in a circle end with the action that was
 * there first, and after that with the default action. Each handler that is found on top is remembered, up to
 * eight at a time.
 *
 * A shared object that contains memfold's runtime stays loaded from the first installation on (dlclose
 * succeeds but unloads nothing), because other handlers may have saved the address of the one inside.
 *
 * After fork the child has the handler, the memories (copy-on-write) and the tables. Fork may be called in a
 * signal handler, whatever it has interrupted in this runtime.
 *
 * Hosts with a handler of their own. Either memfold's handler is installed as well, and which of the two is
 * on top makes no difference as long as both pass on; or memfold never installs one, and the host's asks
 * mf_fault_handle about each fault. Example for the second:
 *
 *     #include <memfold/fault_handler.h>
 *     #include <memfold/memory.h>
 *     #include <signal.h>
 *     #include <stdio.h>
 *
 *     static void on_fault(int number, siginfo_t *info, void *context) {
 *         if (mf_fault_handle(number, info, context))
 *             return; // the guest's: the thread goes on where its accessor says so
 *         signal(number, SIG_DFL); // here the host's own faults are handled; this one has none
 *     }
 *
 *     int main(void) {
 *         static struct sigaction action;
 *         mf_memory *memory;
 *         mf_diag diag;
 *         if (mf_fault_handler_mode(MF_FAULT_HANDLER_HOST, &diag) != MF_OK) {
 *             fprintf(stderr, "%s\n", diag.message);
 *             return diag.status == MF_INVALID_ARGUMENT ? 0 : 1; // no x86-64: there is no such backend
 *         }
 *         action.sa_sigaction = on_fault;
 *         action.sa_flags = SA_SIGINFO | SA_ONSTACK;
 *         if (sigaction(SIGSEGV, &action, NULL) != 0 || sigaction(SIGBUS, &action, NULL) != 0)
 *             return 1;
 *         if (mf_memory_create(NULL, NULL, MF_BACKEND_X86_PAGED, &memory, &diag) != MF_OK)
 *             return 1;
 *         // Guests run here as they would with memfold's handler.
 *         mf_memory_destroy(memory);
 *         return 0;
 *     }
 */
#ifndef MEMFOLD_FAULT_HANDLER_H
#define MEMFOLD_FAULT_HANDLER_H

#include <memfold/public.h>
#include <memfold/status.h>

#include <stdbool.h>

MF_PUBLIC_BEGIN

/*
 * The handler is installed and on top, and stays until it is uninstalled as often as it was installed. Each
 * paged memory installs it once for its own life, so few programs call this: those that want the order of
 * handlers settled before their first memory, and those that know that somebody has changed it since. MF_IO
 * if the kernel refuses (the value is errno); MF_INVALID_ARGUMENT where memfold has no x86_paged backend on
 * Linux. Any thread; not in a signal handler (it takes a lock).
 */
mf_status mf_fault_handler_install(mf_diag *diag);

/*
 * At the last of as many calls as there were installations the handlers from before are back, unless somebody
 * has installed another on top of ours, which is then left alone and still passes through ours to them. Never
 * fails; more calls than installations do nothing. Any thread; not in a signal handler.
 */
void mf_fault_handler_uninstall(void);

/* Whose handler gets the signals first: memfold's, which it installs, or only the host's. */
typedef enum mf_fault_handler_owner {
    MF_FAULT_HANDLER_OWN = 0, /* the default */
    MF_FAULT_HANDLER_HOST = 1 /* nothing is ever installed; the host's handler calls mf_fault_handle */
} mf_fault_handler_owner;

/*
 * From now on the whole process has this mode; with MF_FAULT_HANDLER_HOST installing and uninstalling only
 * count. MF_INVALID_ARGUMENT, and nothing changed, if the value is none, if the other mode is in use (there
 * is a paged memory, or an installation), or where there is no x86_paged backend on Linux. Any thread; not in
 * a signal handler.
 */
mf_status mf_fault_handler_mode(mf_fault_handler_owner owner, mf_diag *diag);

/*
 * Whether a signal is a guest's fault, asked by a handler with SA_SIGINFO about what the kernel gave it: the
 * signal, a siginfo_t and a ucontext_t. If true, the context has been changed and the handler returns without
 * further ado: the kernel then resumes the thread at the fault edge of its access, or leaves its guard frame,
 * with the registers, the signal mask and the alternate stack of the moment of the fault; or, if another
 * thread's sbrk has added the page by now, at the access itself, which is executed again. If false, which is
 * also the answer for all other signals, nothing has changed and the fault is somebody else's.
 *
 * It works in either mode, whether memfold's handler is installed or not, and for memories of this runtime
 * only. It never jumps, takes no lock and allocates nothing; it is asked once about each signal, on the
 * thread that got it. Async-signal-safe; the stack that it needs is less than 1 KiB.
 *
 * The handler is installed for SIGSEGV and SIGBUS. With SA_ONSTACK it also serves threads without room on
 * their stack. With SA_NODEFER guests may fault inside other handlers that interrupt it.
 */
bool mf_fault_handle(int signal, const void *siginfo, void *ucontext);

MF_PUBLIC_END

#endif
