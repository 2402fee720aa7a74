#include "verify/sweep_access.h"

#include "verify/sweep_call.h"

#include <memfold/guard.h>

#include <stdatomic.h>
#include <string.h>

/* ---- Before ---- */

/* One access, what the contract says of it, and what came of it. */
typedef struct trial {
    const sweep_subject *subject;
    const mf_accessor_info *info;
    uint64_t index;
    uint64_t stored;
    bool is_allowed;
    uint64_t first_refused;
    mf_fault fault; /* as the contract has it */
    uint64_t value;
    sweep_call call;
    mf_fault caught;
    uint64_t seen_from; /* the bytes around */
    uint32_t seen_bytes;
    unsigned char before[SWEEP_SEEN_BYTES];
} trial;

/* A number that looks like any other, and is the same for the same access. */
static uint64_t scramble(uint64_t x) {
    x ^= x >> 31;
    x *= UINT64_C(0xd6e8feb86659fd93);
    x ^= x >> 32;
    x *= UINT64_C(0xd6e8feb86659fd93);
    return x ^ x >> 32;
}

/* How far the byte at guest offset `offset` of a value is shifted. */
static uint32_t shift_of(const trial *t, uint32_t offset) {
    bool is_big = t->subject->options->endian == MF_BIG_ENDIAN;
    return 8 * (is_big ? t->info->width_bytes - 1 - offset : offset);
}

/* Loads extend to 64 bits, by zeros or by the sign. */
static uint64_t expect_value(const trial *t) {
    uint32_t unused_bits = 64 - 8 * t->info->width_bytes;
    uint64_t value = 0;
    for (uint32_t i = 0; i < t->info->width_bytes; i++)
        value |= (uint64_t)sweep_guest_byte(t->index + i) << shift_of(t, i);
    if (!t->info->sign_extends || unused_bits == 0)
        return value;
    uint64_t sign = UINT64_C(1) << (63 - unused_bits);
    return (value ^ sign) - sign;
}

/* The callee does not look at the upper half of a 32-bit address. */
static void set_arguments(trial *t) {
    const mf_accessor_options *options = t->subject->options;
    uint64_t address = t->index;
    uint32_t next = 0;
    if (options->index == MF_INDEX_U32)
        address |= t->stored << 32;
    t->call.arguments[next++] = (uint64_t)(uintptr_t)t->subject->guest->view;
    if (options->base == MF_BASE_ARGUMENT)
        t->call.arguments[next++] = (uint64_t)(uintptr_t)t->subject->guest->view->base;
    t->call.arguments[next++] = address;
    t->call.arguments[next++] = t->stored;
    if (next < 4)
        t->call.arguments[next] = ~t->stored;
}

/*
 * Fewer bytes than a page lie between the first readable one and the last, so all between them are. Loads
 * change nothing either, which is looked at when the pages are given back.
 */
static void remember_bytes(trial *t) {
    const sweep_guest *g = t->subject->guest;
    uint64_t from = t->index < SWEEP_AROUND ? 0 : t->index - SWEEP_AROUND;
    uint64_t end = t->index + t->info->width_bytes + SWEEP_AROUND;
    while (from < end && !sweep_guest_is_readable(g, from))
        from++;
    while (end > from && !sweep_guest_is_readable(g, end - 1))
        end--;
    t->seen_from = from;
    t->seen_bytes = t->info->operation == MF_STORE ? (uint32_t)(end - from) : 0;
    memcpy(t->before, g->view->base + t->seen_from, t->seen_bytes);
}

static void prepare(trial *t, const sweep_subject *s, uint64_t index) {
    t->subject = s;
    t->info = s->info;
    t->index = index;
    t->stored = scramble(index * MF_ACCESSOR_COUNT + s->accessor + s->request->seed);
    t->fault = (mf_fault){0};
    t->caught = (mf_fault){0};
    t->value = 0;
    t->is_allowed = sweep_contract_allows(s->guest->contract, index, t->info->width_bytes, t->info->operation,
                                          &t->fault, &t->first_refused);
    if (t->is_allowed && t->info->operation == MF_LOAD)
        t->value = expect_value(t);
    t->call.function = s->function;
    set_arguments(t);
    remember_bytes(t);
}

/* ---- The call ---- */

static void guarded_body(mf_view *view, void *context) {
    (void)view;
    sweep_call_run(context);
}

static bool traps(const trial *t) {
    return t->subject->options->on_fault == MF_ON_FAULT_TRAP;
}

/* Afterwards `status` is the accessor's or that of the guard frame, `value` what was loaded. */
static void run(trial *t) {
    t->call.changed = 0;
    if (traps(t)) {
        bool came_back = mf_guard_run(t->subject->guest->view, guarded_body, &t->call, &t->caught);
        t->call.status = came_back ? MF_FAULT_NONE : t->caught.kind;
        if (!came_back)
            t->call.value = 0;
    } else {
        sweep_call_run(&t->call);
        bool is_store = t->info->operation == MF_STORE;
        t->call.status = (uint32_t)(is_store ? t->call.value : t->call.status);
    }
    if (t->info->operation == MF_STORE)
        t->call.value = 0;
}

/* ---- After ---- */

/* Where the MMU stops an access inside a guard frame, the record has the first byte, and no length. */
static bool is_record_right(const trial *t, const mf_fault *found) {
    bool is_by_mmu = traps(t) && t->subject->options->backend == MF_BACKEND_X86_PAGED;
    bool is_short = is_by_mmu && !t->is_allowed && found->length == 0;
    uint64_t address = is_short ? t->first_refused : t->fault.address;
    uint64_t length = is_short ? 0 : t->fault.length;
    return found->kind == t->fault.kind && found->operation == t->fault.operation &&
           found->page == t->fault.page && found->address == address && found->length == length;
}

/* The byte that is at the index after a store that was done or refused. */
static unsigned char byte_after(const trial *t, uint64_t index) {
    bool is_stored = t->is_allowed && t->index <= index && index < t->index + t->info->width_bytes;
    if (is_stored)
        return (unsigned char)(t->stored >> shift_of(t, (uint32_t)(index - t->index)));
    return t->before[index - t->seen_from];
}

static bool are_bytes_right(const trial *t, uint64_t *wrong) {
    const unsigned char *base = t->subject->guest->view->base;
    for (uint64_t i = t->seen_from; i < t->seen_from + t->seen_bytes; i++) {
        if (base[i] != byte_after(t, i)) {
            *wrong = i;
            return false;
        }
    }
    return true;
}

/* The view is the runtime's, but for the record. */
static bool is_view_right(const trial *t) {
    const sweep_guest *g = t->subject->guest;
    const mf_view *v = g->view;
    return v->base == g->attached.base && v->perms == g->attached.perms &&
           v->heap_end == g->attached.heap_end && v->guard == g->attached.guard;
}

static mf_sweep_flaw judge(const trial *t, uint64_t *wrong) {
    const mf_fault *found = &t->subject->guest->view->fault;
    if (t->call.status != t->fault.kind)
        return MF_SWEEP_STATUS;
    if (t->call.value != t->value)
        return MF_SWEEP_VALUE;
    if (!is_record_right(t, found) || (traps(t) && !is_record_right(t, &t->caught)))
        return MF_SWEEP_RECORD;
    if (!are_bytes_right(t, wrong))
        return MF_SWEEP_BYTES;
    if (!is_view_right(t))
        return MF_SWEEP_VIEW;
    return t->call.changed != 0 ? MF_SWEEP_REGISTERS : MF_SWEEP_NO_FLAW;
}

/* As before, for the next access. A page that the MMU protects cannot have changed. */
static void restore(const trial *t) {
    sweep_guest *g = t->subject->guest;
    if (!t->is_allowed)
        g->view->fault = (mf_fault){0};
    else if (t->info->operation == MF_STORE)
        memcpy(g->view->base + t->index, t->before + (t->index - t->seen_from), t->info->width_bytes);
}

/* ---- The report ---- */

static void describe(const trial *t, mf_sweep_report *r) {
    memcpy(r->arguments, t->call.arguments, sizeof r->arguments);
    r->heap_end = t->subject->guest->contract->heap_end;
    r->allowed_status = t->fault.kind;
    r->allowed_value = t->value;
    r->allowed_fault = t->fault;
}

void sweep_access_describe(const sweep_subject *s) {
    trial t;
    prepare(&t, s, s->report->index);
    describe(&t, s->report);
}

static void report_flaw(const trial *t, mf_sweep_flaw flaw, uint64_t wrong) {
    mf_sweep_report *r = t->subject->report;
    describe(t, r);
    r->status = (uint32_t)t->call.status;
    r->value = t->call.value;
    r->fault = t->subject->guest->view->fault;
    r->byte = wrong;
    r->flaw = flaw;
}

bool sweep_access_is_right(const sweep_subject *s, uint64_t index) {
    trial t;
    uint64_t wrong = 0;
    prepare(&t, s, index);
    if (!t.is_allowed && s->options->policy == MF_POLICY_NONE)
        return true;
    s->report->index = index;
    atomic_signal_fence(memory_order_seq_cst);
    run(&t);
    mf_sweep_flaw flaw = judge(&t, &wrong);
    if (flaw == MF_SWEEP_NO_FLAW) {
        restore(&t);
        s->report->swept[s->accessor]++;
        return true;
    }
    report_flaw(&t, flaw, wrong);
    return false;
}
