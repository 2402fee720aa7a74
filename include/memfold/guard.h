/*
 * Guard frames: where accessors with `on_fault = trap` go when the guest faults.
 *
 * Such an accessor has no status to test: it returns only if the access was done, and otherwise the whole
 * call that mf_guard_run made is left at once. Example:
 *
 *     #include <memfold/generic.h>
 *     #include <memfold/guard.h>
 *     #include <memfold/memory.h>
 *
 *     static void run_guest(mf_view *view, void *context) {
 *         const mf_accessors *guest = (const mf_accessors *)context;
 *         mf_store_trap_fn *store = (mf_store_trap_fn *)mf_accessors_member(guest, MF_STORE_U32);
 *         store(view, 0x3000, 42); // the page does not exist
 *     }
 *
 *     int main(void) {
 *         static mf_accessor_options options; // all zero: the default
 *         mf_memory *memory;
 *         mf_fault fault;
 *         if (mf_memory_create(NULL, NULL, MF_BACKEND_COPY, &memory, NULL) != MF_OK)
 *             return 1;
 *         options.on_fault = MF_ON_FAULT_TRAP;
 *         void *guest = (void *)mf_generic_accessors(&options);
 *         bool ended = mf_guard_run(mf_memory_view(memory), run_guest, guest, &fault);
 *         mf_memory_destroy(memory);
 *         return !ended && fault.page == 0x3000 ? 0 : 1;
 *     }
 */
#ifndef MEMFOLD_GUARD_H
#define MEMFOLD_GUARD_H

#include <memfold/abi.h>
#include <memfold/public.h>

#include <stdbool.h>

MF_PUBLIC_BEGIN

/* One guard frame. It lives on the stack of mf_guard_run; programs see only pointers to it. */
typedef struct mf_guard mf_guard;

/* What runs inside a guard frame, with the view and the context that mf_guard_run was given. */
typedef void mf_guard_body(mf_view *view, void *context);

/*
 * Runs `body(view, context)` inside a new guard frame of `view` and returns true if it came to its end.
 * If a trap accessor of the same view faulted, the body was left at that access, `*fault` (NULL is fine)
 * is its record (also in view->fault), and the result is false. Frames nest: a fault leaves only the
 * innermost one of its view, and with it the frames of other views that were entered inside. mf_guard_run
 * itself never fails: it allocates nothing, takes no lock and makes no system call.
 *
 * The frames between the access and this call are abandoned as by longjmp: nothing of them runs any more,
 * so no C++ destructors and no Rust drops may be due there, and no lock that they hold is released.
 * `body` does not leave in any other way than by returning: no longjmp and no exception passes this call.
 * The signal mask stays as it is at the moment of the fault.
 *
 * On x86_paged the frame also takes the faults of any other code that touches the memory's reservation on
 * this thread. Where it was the MMU that stopped an access, an accessor's or another, the record's `address`
 * is the first inaccessible byte and its `length` 0, because the MMU does not tell where the access began.
 *
 * A trap accessor that faults with no frame on its view panics (panic.h); where the MMU stopped it, the fault
 * is not memfold's and goes on as any other SIGSEGV does.
 *
 * Thread rule: a view, and so its frames, belongs to one thread. Any number of threads may be inside frames
 * of their own views. The view stays attached until this returns.
 */
bool mf_guard_run(mf_view *view, mf_guard_body *body, void *context, mf_fault *fault);

MF_PUBLIC_END

#endif
