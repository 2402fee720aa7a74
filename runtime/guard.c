/*
 * Guard frames: jump buffers that hang in two chains, that of their view and that of their thread. The
 * underscored jumps leave the signal mask alone, so entering a frame makes no system call.
 */
#include "guard_impl.h"

#include <setjmp.h>
#include <stddef.h>

struct mf_guard {
    jmp_buf place;
    mf_view *view;
    struct mf_guard *outer; /* of the same view */
    struct mf_guard *outer_of_thread;
};

/* Allocated with the thread, not at the first use: a fault handler reads it. */
static _Thread_local struct mf_guard *innermost __attribute__((tls_model("initial-exec")));

static void push(struct mf_guard *frame, mf_view *view) {
    frame->view = view;
    frame->outer = view->guard;
    frame->outer_of_thread = innermost;
    view->guard = frame;
    innermost = frame;
}

static struct mf_guard *pop(void) {
    struct mf_guard *frame = innermost;
    frame->view->guard = frame->outer;
    innermost = frame->outer_of_thread;
    return frame;
}

bool mf_guard_run(mf_view *view, mf_guard_body *body, void *context, mf_fault *fault) {
    struct mf_guard frame;
    push(&frame, view);
    if (_setjmp(frame.place) == 0) {
        body(view, context);
        pop();
        return true;
    }
    if (fault != NULL) {
        *fault = view->fault;
    }
    return false;
}

struct mf_guard *mf_guard_find(const unsigned char *base) {
    struct mf_guard *frame = innermost;
    while (frame != NULL && frame->view->base != base) {
        frame = frame->outer_of_thread;
    }
    return frame;
}

mf_view *mf_guard_view(const struct mf_guard *frame) {
    return frame->view;
}

/* The frames inside are abandoned with it, those of other views too, so none of them outlives its call. */
void mf_guard_leave_frame(struct mf_guard *frame) {
    while (pop() != frame) {
    }
    _longjmp(frame->place, 1);
}

void mf_guard_leave(mf_view *view) {
    mf_guard_leave_frame(view->guard);
}
