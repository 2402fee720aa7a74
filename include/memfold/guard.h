/*
 * Guard frames: where accessors with `on_fault = trap` go when the guest faults.
 */
#ifndef MEMFOLD_GUARD_H
#define MEMFOLD_GUARD_H

#include <memfold/abi.h>
#include <memfold/public.h>

#include <stdbool.h>

MF_PUBLIC_BEGIN

typedef struct mf_guard mf_guard;

/* What runs inside a guard frame. */
typedef void mf_guard_body(mf_view *view, void *context);

/*
 * Runs `body(view, context)` inside a new guard frame of `view` and returns true if it came to its end.
 * If a trap accessor of the same view faulted, the body was left at that access, `*fault` (NULL is fine)
 * is its record, and the result is false. Frames nest: a fault leaves only the innermost one.
 *
 * The frames between the access and this call are abandoned as by longjmp: nothing of them runs any more,
 * so no C++ destructors and no Rust drops may be due there, and no lock that they hold is released.
 * `body` does not leave in any other way than by returning.
 *
 * On x86_paged the frame also takes the faults of any other code that touches the memory's window on this
 * thread. Where it was the MMU that stopped an access, an accessor's or another, the record's `address` is
 * the first inaccessible byte and its `length` 0, because the MMU does not tell where the access began.
 *
 * A trap accessor that faults with no frame on its view panics (panic.h); where the MMU stopped it, the fault
 * is not memfold's and goes on as any other SIGSEGV does. Thread rule: a view, and so its frames, belongs to
 * one thread.
 */
bool mf_guard_run(mf_view *view, mf_guard_body *body, void *context, mf_fault *fault);

MF_PUBLIC_END

#endif
