/* Plans as text: one line each, stable. */
#include "plan/print.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

const char *mf_check_name(mf_check check) {
    static const char *const NAMES[] = {
#define MF_X(ID, name) name,
        MF_CHECKS(MF_X)
#undef MF_X
    };
    return check < MF_CHECK_COUNT ? NAMES[check] : "unknown";
}

const char *mf_step_name(mf_step_kind kind) {
    static const char *const NAMES[] = {
#define MF_X(ID, name) name,
        MF_STEPS(MF_X)
#undef MF_X
    };
    return kind < MF_STEP_COUNT ? NAMES[kind] : "unknown";
}

/* Text that is cut where there is no more room, and counted to its end. */
typedef struct line {
    char *text;
    size_t room;
    size_t length;
} line;

__attribute__((format(printf, 2, 3))) static void append(line *l, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    bool is_cut = l->length >= l->room;
    int length =
        vsnprintf(is_cut ? NULL : l->text + l->length, is_cut ? 0 : l->room - l->length, format, arguments);
    va_end(arguments);
    l->length += length < 0 ? 0 : (size_t)length;
}

/* ---- Steps ---- */

/* "index - 0x10000", without the difference where there is none. */
static void append_offset(line *l, const char *at, uint64_t start) {
    if (start == 0)
        append(l, "%s", at);
    else
        append(l, "%s - 0x%" PRIx64, at, start);
}

/* "table[index >> 15]" */
static void append_entry(line *l, const char *table, const char *at, uint32_t log2) {
    bool is_sum = at[sizeof "index" - 1] != '\0';
    append(l, is_sum ? "%s[(%s) >> %" PRIu32 "]" : "%s[%s >> %" PRIu32 "]", table, at, log2);
}

/* One line of text a kind of step: longer than a function should be, and nothing to be cut out of it. */
static void append_comparison(line *l, const mf_plan *plan, const mf_plan_step *step, const char *at) {
    switch ((mf_step_kind)step->kind) {
    case MF_STEP_SAME_LAYOUT:
        append(l, "layout stamp = 0x%" PRIx64 ", else panic", step->start);
        break;
    case MF_STEP_SAME_BACKEND:
        append(l, "backend = %s, else panic", step->start == MF_BACKEND_X86_PAGED ? "paged" : "copy");
        break;
    case MF_STEP_IN_WINDOW:
    case MF_STEP_IN_SPACE:
        append_offset(l, at, step->start);
        append(l, " <= 0x%" PRIx64, step->last);
        break;
    case MF_STEP_NOT_IN_HOLE:
        append_offset(l, at, step->start);
        append(l, " > 0x%" PRIx64, step->last);
        break;
    case MF_STEP_BELOW_HEAP_END:
        append_offset(l, at, step->start);
        append_offset(l, " < heap_end", step->last);
        break;
    case MF_STEP_IN_HEAP:
        append_offset(l, at, step->start);
        append(l, " < max(heap_end - 0x%" PRIx64 ", 0)", step->last);
        break;
    case MF_STEP_NOT_IN_GROWTH:
        append(l, "not heap_end <= %s <= 0x%" PRIx64, at, step->last);
        break;
    case MF_STEP_PERMISSION:
        append_entry(l, "perms", at, MF_PAGE_LOG2);
        append(l, " >= %s", plan->operation == MF_STORE ? "rw" : "ro");
        break;
    case MF_STEP_TABLE_BYTE:
        append_entry(l, "table", at, step->granule_log2);
        break;
    case MF_STEP_TABLE_BIT:
        append_entry(l, "bitmap", at, step->granule_log2);
        break;
    case MF_STEP_IMMEDIATE_BIT:
        append(l, "bit (");
        append_offset(l, at, step->start);
        append(l, ") >> %" PRIu32 " of 0x%" PRIx64, step->granule_log2, step->bits);
        break;
    case MF_STEP_IN_GRANULE:
        append(l, "%s mod 0x%" PRIx64 " <= 0x%" PRIx64, at, UINT64_C(1) << step->granule_log2, step->last);
        break;
    case MF_STEP_MASK:
        append(l, "masked to 0x%" PRIx64, step->start);
        break;
    case MF_STEP_IS_EMPTY:
        append(l, "length = 0");
        break;
    case MF_STEP_EMPTY_UP_TO:
        append(l, "length = 0 and %s <= 0x%" PRIx64, at, step->last);
        break;
    case MF_STEP_EMPTY_IN_HEAP:
        append(l, "length = 0 and %s <= heap_end and 0x%" PRIx64 " < heap_end", at, step->start);
        break;
    case MF_STEP_RANGE_IN_WINDOW:
        append(l, "range in 0x%" PRIx64 " to 0x%" PRIx64, step->start, step->start + step->last);
        break;
    case MF_STEP_RANGE_BELOW_HEAP_END:
        append(l, "range in 0x%" PRIx64 " to heap_end - 1", step->start);
        break;
    case MF_STEP_RANGE_PERMISSION:
        append(l, "perms of the range >= %s", plan->operation == MF_STORE ? "rw" : "ro");
        break;
    case MF_STEP_ALWAYS:
    case MF_STEP_MMU:
    case MF_STEP_COUNT:
        break;
    }
}

/* What asks nothing is said by the name of the check already. */
static bool is_silent(const mf_plan_step *step) {
    return step->kind == MF_STEP_ALWAYS || step->kind == MF_STEP_MMU;
}

static void append_step(line *l, const mf_plan *plan, const mf_plan_step *step) {
    char at[32] = "index";
    if (step->at == MF_AT_LAST && plan->width_bytes > 1)
        snprintf(at, sizeof at, "index + %" PRIu32, plan->width_bytes - 1);
    if (step->on_pass == MF_EXIT_ALLOWED && step->on_fail == MF_EXIT_NEXT && step->kind != MF_STEP_MASK)
        append(l, "allowed if ");
    if (step->on_pass == MF_EXIT_FAULT && step->on_fail == MF_EXIT_NEXT)
        append(l, "fault if ");
    append_comparison(l, plan, step, at);
}

/* ---- Lines ---- */

const char *plan_access_name(const mf_plan *plan) {
    if (plan->accessor < MF_ACCESSOR_COUNT)
        return mf_accessor_info_get((mf_accessor_id)plan->accessor)->name;
    return plan->operation == MF_STORE ? "store" : "load";
}

/* What is no accessor has its width behind it: "load 16". A range has none. */
static void append_name(line *l, const mf_plan *plan) {
    char name[32];
    snprintf(name, sizeof name, "%s", plan_access_name(plan));
    if (plan->accessor >= MF_ACCESSOR_COUNT && plan->width_bytes > 0)
        snprintf(name, sizeof name, "%s %" PRIu32, plan_access_name(plan), plan->width_bytes);
    append(l, "%-9s  ", name);
}

size_t mf_plan_print(const mf_plan *plan, char *text, size_t text_bytes) {
    line l = {text, text_bytes, 0};
    const char *check = mf_check_name((mf_check)plan->check);
    bool is_first = true;
    append_name(&l, plan);
    for (uint32_t i = 0; i < plan->step_count; i++) {
        const mf_plan_step *step = &plan->steps[i];
        if (is_silent(step))
            continue;
        if (is_first)
            append(&l, "%-11s  ", check);
        else
            append(&l, "; ");
        append_step(&l, plan, step);
        is_first = false;
    }
    if (is_first)
        append(&l, "%s", check);
    return l.length;
}
