/*
 * setjmp and longjmp on Linux.
 *
 * With _FORTIFY_SOURCE glibc's longjmp ends the process when it leads to a stack that lies below the current
 * one, as it may where a host runs guests on stacks of their own. So this file is compiled without.
 */
#undef _FORTIFY_SOURCE
#define _FORTIFY_SOURCE 0

#include "os.h"

#include <setjmp.h>

/* The underscored ones leave the signal mask alone and so make no system call. */
bool os_call(void **place, void (*body)(void *argument), void *argument) {
    jmp_buf here;
    *place = &here;
    if (_setjmp(here) != 0)
        return false;
    body(argument);
    return true;
}

void os_leave(void *place) {
    _longjmp(*(jmp_buf *)place, 1);
}
