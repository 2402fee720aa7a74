/* Guard frames: those of a thread, and leaving one. */
#ifndef MEMFOLD_RUNTIME_GUARD_IMPL_H
#define MEMFOLD_RUNTIME_GUARD_IMPL_H

#include <memfold/guard.h>

/* Continues behind the innermost mf_guard_run of `view`, whose fault record is written. It has a frame. */
MF_NORETURN void guard_frame_leave_innermost(mf_view *view);

/*
 * The innermost frame of this thread, or NULL; the one that it was entered in; and a frame's view.
 * Async-signal-safe, also in threads that have never entered a frame.
 */
struct mf_guard *guard_frame_innermost(void);
struct mf_guard *guard_frame_outer(const struct mf_guard *frame);
mf_view *guard_frame_view(const struct mf_guard *frame);

/* Continues behind the mf_guard_run of `frame`, which is active on this thread. */
MF_NORETURN void guard_frame_leave(struct mf_guard *frame);

#endif
