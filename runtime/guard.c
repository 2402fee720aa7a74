/*
 * Guard frames. Each stands in two chains: that of its view, which a trap accessor leaves by, and that of its
 * thread, which a fault handler searches. A view belongs to one thread, so the innermost frame of a thread is
 * also the innermost of its view, and one pop serves both chains.
 */
#include "guard_impl.h"
#include "os.h"
#include "views.h"

struct mf_guard {
    void *place; /* where os_leave goes back to */
    mf_guard_body *body;
    void *context;
    mf_view *view;
    struct mf_guard *outer; /* of the same view */
    struct mf_guard *outer_of_thread;
};

static void push(struct mf_guard *frame) {
    struct mf_guard **innermost = os_thread_guard_frame();
    frame->outer = frame->view->guard;
    frame->outer_of_thread = *innermost;
    frame->view->guard = frame;
    *innermost = frame;
}

static struct mf_guard *pop(void) {
    struct mf_guard **innermost = os_thread_guard_frame();
    struct mf_guard *frame = *innermost;
    frame->view->guard = frame->outer;
    *innermost = frame->outer_of_thread;
    return frame;
}

static void run_body(void *argument) {
    const struct mf_guard *frame = argument;
    frame->body(frame->view, frame->context);
}

bool mf_guard_run(mf_view *view, mf_guard_body *body, void *context, mf_fault *fault) {
    view_check(view);
    struct mf_guard frame = {.body = body, .context = context, .view = view};
    push(&frame);
    if (os_call(&frame.place, run_body, &frame)) {
        pop();
        return true;
    }
    if (fault != NULL)
        *fault = view->fault;
    return false;
}

struct mf_guard *guard_frame_innermost(void) {
    return *os_thread_guard_frame();
}

struct mf_guard *guard_frame_outer(const struct mf_guard *frame) {
    return frame->outer_of_thread;
}

mf_view *guard_frame_view(const struct mf_guard *frame) {
    return frame->view;
}

/* The frames inside are abandoned with it, those of other views too, so none of them outlives its call. */
void guard_frame_leave(struct mf_guard *frame) {
    while (pop() != frame) {
    }
    os_leave(frame->place);
}

void guard_frame_leave_innermost(mf_view *view) {
    guard_frame_leave(view->guard);
}
