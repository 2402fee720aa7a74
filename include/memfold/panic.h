/*
 * Programmer's mistakes that cannot be answered: a trap without a guard frame, the use of accessors
 * that were made for another layout. The library reports them as a failed assertion would: it calls the
 * hook with a message and then aborts.
 */
#ifndef MEMFOLD_PANIC_H
#define MEMFOLD_PANIC_H

#include <memfold/public.h>

MF_PUBLIC_BEGIN

/* Receives one line without a newline. If it returns, the process aborts. */
typedef void mf_panic_hook(const char *message);

/*
 * Installs `hook` for the whole process and returns the one before. NULL restores the default, which
 * writes the message to standard error. Any thread.
 */
mf_panic_hook *mf_panic_hook_set(mf_panic_hook *hook);

MF_PUBLIC_END

#endif
