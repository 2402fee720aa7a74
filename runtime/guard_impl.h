/* Leaving a guard frame. */
#ifndef MEMFOLD_RUNTIME_GUARD_IMPL_H
#define MEMFOLD_RUNTIME_GUARD_IMPL_H

#include <memfold/guard.h>

/* Continues behind the innermost mf_guard_run of `view`, whose fault record is written. It has a frame. */
MF_NORETURN void mf_guard_leave(mf_view *view);

#endif
