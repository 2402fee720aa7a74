/* The plan of one index that is known beforehand. */
#include "plan/growth.h"
#include "plan/steps.h"

static bool is_inside(mf_window window, uint64_t first, uint64_t end) {
    return window.start <= first && end <= window.start + window.size;
}

/*
 * The access touches [first, end). It is allowed whatever sbrk does if it lies in one window; it can become
 * allowed only if each page of it is in a window or in the heap's growth. Two pages at most are touched, so
 * it is enough to look at the first and the last byte.
 */
static bool may_become_accessible(const mf_layout *layout, mf_operation operation, uint64_t index) {
    mf_window growth = plan_heap_growth(layout);
    mf_window window;
    if (index >= growth.start && index < growth.start + growth.size)
        return true;
    return mf_layout_window_lookup(layout, operation, index, &window) && window.start <= index;
}

/* MF_EXIT_NEXT: it depends on the memory. */
static mf_exit exit_by_perms(const mf_layout *layout, const mf_plan *plan, uint64_t index) {
    mf_operation operation = (mf_operation)plan->operation;
    uint64_t end = index + plan->width_bytes;
    mf_window window;
    if (mf_layout_window_lookup(layout, operation, index, &window) && is_inside(window, index, end))
        return MF_EXIT_ALLOWED;
    bool is_possible =
        may_become_accessible(layout, operation, index) && may_become_accessible(layout, operation, end - 1);
    return is_possible ? MF_EXIT_NEXT : MF_EXIT_FAULT;
}

static mf_exit exit_at(const mf_layout *layout, const mf_plan *plan, uint64_t index) {
    if (plan->check == MF_CHECK_ALWAYS_ALLOWED || plan->check == MF_CHECK_ALWAYS_FAULT)
        return MF_EXIT_NEXT;
    if (plan->limit != 0)
        return index + plan->width_bytes <= plan->limit ? MF_EXIT_ALLOWED : MF_EXIT_FAULT;
    return exit_by_perms(layout, plan, index);
}

/* Of a step that compares the stamp; one of a layout refuses the other backend. */
static mf_backend backend_of(const mf_plan_step *step) {
    if (step->kind == MF_STEP_SAME_BACKEND)
        return (mf_backend)step->start;
    bool is_copy = (step->start & MF_LAYOUT_STAMP_REFUSES(MF_BACKEND_COPY)) == 0;
    return is_copy ? MF_BACKEND_COPY : MF_BACKEND_X86_PAGED;
}

void mf_plan_make_at(const mf_layout *layout, const mf_plan *plan, uint64_t index, mf_plan *decided) {
    mf_exit exit = exit_at(layout, plan, index);
    mf_step_kind kind = (mf_step_kind)plan->steps[0].kind;
    if (exit == MF_EXIT_NEXT) {
        *decided = *plan;
        return;
    }
    mf_plan made = {.accessor = plan->accessor,
                    .operation = plan->operation,
                    .width_bytes = plan->width_bytes,
                    .check = exit == MF_EXIT_ALLOWED ? MF_CHECK_ALWAYS_ALLOWED : MF_CHECK_ALWAYS_FAULT,
                    .index = plan->index,
                    .limit = plan->limit};
    plan_add_always(&made, exit);
    if (kind == MF_STEP_SAME_LAYOUT || kind == MF_STEP_SAME_BACKEND)
        plan_begin_with_stamp(&made, layout, backend_of(&plan->steps[0]));
    *decided = made;
}
