#include "inline/writer.h"

#include <assert.h>

/* Far below the code, so that a field nobody has patched leads to no access. */
#define UNPATCHED (INT32_MIN / 2)

bool inline_is_narrow(const inline_writer *w) {
    return w->plan->index == MF_INDEX_U32;
}

/* ---- Registers ---- */

static x86_register take_scratch(inline_writer *w, uint32_t number) {
    if (w->scratch_count <= number)
        w->scratch_count = number + 1;
    return w->scratch[number];
}

x86_register inline_temp(inline_writer *w) {
    w->content.is_known = false;
    return take_scratch(w, w->mask != NULL ? 1 : 0);
}

x86_register inline_second(inline_writer *w) {
    w->is_misfit = w->is_misfit || w->mask != NULL;
    return take_scratch(w, 1);
}

x86_register inline_masked(inline_writer *w) {
    return take_scratch(w, 0);
}

x86_register inline_view(inline_writer *w) {
    w->reads_view = true;
    return w->view;
}

x86_register inline_table(inline_writer *w) {
    w->reads_table = true;
    return w->table;
}

x86_memory inline_view_field(inline_writer *w, int32_t offset) {
    return (x86_memory){.base = inline_view(w), .index = X86_NONE, .displacement = offset};
}

x86_register inline_widen(inline_writer *w, int64_t delta) {
    inline_content known = w->content;
    if (w->index_is_wide && delta == 0)
        return w->index;
    x86_register temp = inline_temp(w);
    bool is_there = known.is_known && known.is_wide && known.delta == delta;
    if (!is_there && w->index_is_wide) {
        x86_address(&w->code, X86_64, temp, w->index, (int32_t)delta);
    } else if (!is_there) {
        x86_move(&w->code, X86_32, temp, w->index);
        if (delta != 0)
            x86_add(&w->code, X86_64, temp, (int32_t)delta);
    }
    w->content = (inline_content){.is_known = true, .is_wide = true, .delta = delta};
    return temp;
}

/* ---- Labels ---- */

static inline_content merge(inline_content a, inline_content b) {
    bool is_same = a.is_known && b.is_known && a.is_wide == b.is_wide && a.delta == b.delta;
    return is_same ? a : (inline_content){0};
}

void inline_bind(inline_writer *w, uint32_t label) {
    inline_label *l = &w->labels[label];
    if (l->is_target && (!l->is_placed || l->position != w->code.byte_count))
        w->has_changed = true;
    l->is_placed = true;
    l->position = w->code.byte_count;
    if (l->is_target && w->is_reached)
        w->content = merge(w->content, l->content);
    else if (l->is_target)
        w->content = l->content;
    w->is_reached = w->is_reached || l->is_target;
}

/* ---- Jumps ---- */

/* X86_NONE for a condition: always. */
static void put_jump(inline_writer *w, uint32_t condition, bool is_far, int32_t distance) {
    if (condition == X86_NONE)
        x86_jump(&w->code, is_far, distance);
    else
        x86_branch(&w->code, (x86_condition)condition, is_far, distance);
}

/* To a position that is known: counted from the first byte of the code. */
static void jump_to(inline_writer *w, uint32_t condition, int64_t position) {
    assert(w->jump_count < INLINE_JUMPS_MAX);
    bool *is_far = &w->is_far[w->jump_count++];
    int64_t here = (int64_t)w->code.byte_count;
    int64_t near = position - (here + X86_JUMP_NEAR_BYTES);
    if (!*is_far && (near < INT8_MIN || near > INT8_MAX)) {
        *is_far = true;
        w->has_changed = true;
    }
    uint32_t far_bytes = condition == X86_NONE ? X86_JUMP_FAR_BYTES : X86_BRANCH_FAR_BYTES;
    int64_t distance = *is_far ? position - (here + far_bytes) : near;
    put_jump(w, condition, *is_far, (int32_t)distance);
}

/* Through a field that the client patches; where it stands. */
static uint32_t jump_by_field(inline_writer *w, uint32_t condition) {
    put_jump(w, condition, true, UNPATCHED);
    return (uint32_t)w->code.byte_count - 4;
}

static void jump_to_fault(inline_writer *w, uint32_t condition) {
    mf_inline_result *r = &w->result;
    assert(r->fault_count < MF_INLINE_FAULTS_MAX);
    if (w->options->has_fault_target)
        jump_to(w, condition, w->options->fault_target);
    else
        r->fault_fields[r->fault_count++] = jump_by_field(w, condition);
}

static void jump_to_label(inline_writer *w, uint32_t condition, uint32_t label) {
    inline_label *l = &w->labels[label];
    l->content = l->is_target ? merge(l->content, w->content) : w->content;
    l->is_target = true;
    size_t position = l->is_placed ? l->position : w->code.byte_count;
    jump_to(w, condition, (int64_t)position);
}

/* The label of an exit that leads on. */
static uint32_t label_of(const inline_writer *w, uint32_t number, mf_exit exit) {
    bool is_last = number + 1 == w->plan->step_count;
    return exit == MF_EXIT_ALLOWED || is_last ? INLINE_LABEL_ACCESS : number + 1;
}

/* What the panic is told: a step that asks for the backend alone knows no layout. */
static uint64_t stamp_of(const mf_plan_step *step) {
    return step->kind == MF_STEP_SAME_BACKEND ? MF_LAYOUT_STAMP(0, step->start) : step->start;
}

static void jump(inline_writer *w, uint32_t condition, uint32_t number, mf_exit exit) {
    if (exit == MF_EXIT_FAULT) {
        jump_to_fault(w, condition);
    } else if (exit == MF_EXIT_PANIC) {
        w->result.stale_field = jump_by_field(w, condition);
        w->result.stale_stamp = stamp_of(&w->plan->steps[number]);
    } else {
        jump_to_label(w, condition, label_of(w, number, exit));
    }
}

/* What stands behind the step is where the exit leads: the next step, or the access behind the last. */
static bool falls_through(const inline_writer *w, uint32_t number, mf_exit exit) {
    bool is_last = number + 1 == w->plan->step_count;
    return exit == MF_EXIT_NEXT || (exit == MF_EXIT_ALLOWED && is_last);
}

/* ---- Outcomes ---- */

/*
 * The flags are still those of the comparison, which no prediction changes: neither a move nor a branch that
 * is not taken writes them.
 */
void inline_mask_if(inline_writer *w, x86_condition fail, x86_size size, x86_register to, x86_register other,
                    uint64_t value) {
    assert(w->mask != NULL);
    jump_to_fault(w, fail);
    x86_move_constant(&w->code, other, value);
    x86_move_if(&w->code, size, fail, to, other);
}

void inline_fail_if(inline_writer *w, uint32_t number, x86_condition fail) {
    mf_exit on_fail = (mf_exit)w->plan->steps[number].on_fail;
    if (w->mask != NULL && on_fail == MF_EXIT_FAULT)
        inline_mask_if(w, fail, inline_is_narrow(w) ? X86_32 : X86_64, inline_masked(w), inline_temp(w),
                       w->mask->start);
    else
        jump(w, fail, number, on_fail);
}

void inline_pass_if(inline_writer *w, uint32_t number, x86_condition pass) {
    assert(w->mask == NULL);
    jump(w, pass, number, (mf_exit)w->plan->steps[number].on_pass);
}

void inline_decide(inline_writer *w, uint32_t number, x86_condition pass) {
    mf_exit on_pass = (mf_exit)w->plan->steps[number].on_pass;
    mf_exit on_fail = (mf_exit)w->plan->steps[number].on_fail;
    if (falls_through(w, number, on_pass)) {
        if (!falls_through(w, number, on_fail))
            inline_fail_if(w, number, x86_negate(pass));
        return;
    }
    inline_pass_if(w, number, pass);
    if (!falls_through(w, number, on_fail))
        inline_leave(w, number, on_fail);
}

void inline_leave(inline_writer *w, uint32_t number, mf_exit exit) {
    if (falls_through(w, number, exit))
        return;
    jump(w, X86_NONE, number, exit);
    w->is_reached = false;
}
