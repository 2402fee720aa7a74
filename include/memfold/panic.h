/*
 * Programmer's mistakes that cannot be answered: a trap without a guard frame, the use of accessors
 * that were made for another layout. The library reports them as a failed assertion would: it calls the
 * hook with a message and then aborts. Two troubles of the environment end the same way, because nobody is
 * there to be told: no host memory for the exception table of an emitted object, and a kernel that does not
 * give back page permissions that it has granted a moment before. Example:
 *
 *     #include <memfold/panic.h>
 *     #include <stdio.h>
 *
 *     static void tell(const char *message) {
 *         fprintf(stderr, "my program: %s\n", message);
 *     } // the process aborts when this returns
 *
 *     int main(void) {
 *         mf_panic_hook *before = mf_panic_hook_set(tell);
 *         return mf_panic_hook_set(before) == tell ? 0 : 1;
 *     }
 */
#ifndef MEMFOLD_PANIC_H
#define MEMFOLD_PANIC_H

#include <memfold/public.h>

MF_PUBLIC_BEGIN

/*
 * Receives one line without a newline, on the thread that panics; the text is borrowed for the call. If it
 * returns, the process aborts. It may end the process itself. It does not leave by longjmp, and by an
 * exception only where it was called for an accessor that is stale, or that traps without a guard frame: the
 * exception then passes through an accessor in code of stencils (jit.h, stencil.h), which has done nothing.
 */
typedef void mf_panic_hook(const char *message);

/*
 * `hook` is the hook of the whole process from now on; returns the one before, never NULL. NULL restores the
 * default, which writes "memfold: ", the message and a newline to standard error (in a kernel: to the print
 * function of bare.h). Never fails. Any thread; async-signal-safe.
 */
mf_panic_hook *mf_panic_hook_set(mf_panic_hook *hook);

MF_PUBLIC_END

#endif
