/*
 * Guard frames: a chain of jump buffers that hangs on the view. The underscored jumps leave the signal mask
 * alone, so entering a frame makes no system call.
 */
#include "guard_impl.h"

#include <setjmp.h>

struct mf_guard {
    jmp_buf place;
    struct mf_guard *outer;
};

/* The frame is taken off the chain on both ways out, so view->guard never outlives it. */
bool mf_guard_run(mf_view *view, mf_guard_body *body, void *context, mf_fault *fault) {
    mf_guard frame;
    frame.outer = view->guard;
    view->guard = &frame;
    if (_setjmp(frame.place) == 0) {
        body(view, context);
        view->guard = frame.outer;
        return true;
    }
    view->guard = frame.outer;
    if (fault != NULL) {
        *fault = view->fault;
    }
    return false;
}

void mf_guard_leave(mf_view *view) {
    _longjmp(view->guard->place, 1);
}
