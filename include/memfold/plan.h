/*
 * A plan: which check one accessor makes, with which constants. A pure value; the only place that answers
 * "is a check needed, and which".
 */
#ifndef MEMFOLD_PLAN_H
#define MEMFOLD_PLAN_H

#include <memfold/accessors.h>
#include <memfold/layout.h>
#include <memfold/options.h>
#include <memfold/public.h>
#include <memfold/status.h>

MF_PUBLIC_BEGIN

/*
 * The checks. `index` is the guest index of the access, `width` its bytes; each holds exactly when the
 * access is allowed.
 */
typedef enum mf_check {
    MF_CHECK_ALWAYS_FAULT,   /* no access is allowed */
    MF_CHECK_ALWAYS_ALLOWED, /* every access is allowed, or the caller has checked */
    MF_CHECK_PAGED,          /* none in software: the MMU faults exactly if the access is not allowed */
    MF_CHECK_BOUND,          /* index <= windows[0].last */
    MF_CHECK_WINDOW,         /* index - windows[0].start <= windows[0].last */
    MF_CHECK_TWO_WINDOWS,    /* the same for windows[0] or windows[1] */
    MF_CHECK_HEAP, /* windows[0] ends at the live heap end; windows[1] as above if window_count is 2 */
    MF_CHECK_IMMEDIATE_BITMAP, /* index - windows[0].start <= windows[0].last, bit (index - windows[0].start)
                                  >> granule_log2 of `bits` and that of the last byte are 1, and nothing is
                                  touched in [live heap end, growth_end) */
    MF_CHECK_GRANULE_TABLE,  /* constant table[index >> granule_log2] and the same for the last byte are both
                                1, nothing is touched from 2^32 on, nor in [live heap end, growth_end) */
    MF_CHECK_GRANULE_BITMAP, /* the same with bits for bytes: bit n is bit n % 8 of byte n / 8 */
    MF_CHECK_PAGE_TABLE /* live perms[index >> 12] and perms[(index + width - 1) >> 12] both >= min_perm */
} mf_check;

/*
 * One window of a check: accesses that begin at start, ..., start + last are inside, so
 * last = size - width. For the growing window of MF_CHECK_HEAP, `fixed_bytes` is the part below the heap's
 * base (0, or at least 4096), and an access is inside if
 *     index - start  <  max(heap_end - start - (width - 1), 0).
 */
typedef struct mf_plan_window {
    uint64_t start;
    uint64_t last;
    uint64_t fixed_bytes;
} mf_plan_window;

typedef struct mf_plan {
    mf_accessor_id accessor;
    mf_check check;
    uint32_t window_count;
    mf_plan_window windows[2];
    uint32_t granule_log2; /* granule table and bitmaps: bytes that one entry stands for; otherwise 0 */
    uint64_t bits;         /* immediate bitmap: bit n says whether granule n from windows[0].start on may be
                              touched; otherwise 0 */
    uint64_t growth_end;   /* granule table and bitmaps: where the heap's growth ends; 0 if it cannot grow */
    uint64_t limit;        /* bounds policy: end of the accessible space; otherwise 0 */
    mf_perm min_perm;      /* page table: MF_PERM_RO for loads, MF_PERM_RW for stores */
    bool may_fault;        /* the accessor has a fault edge */
    bool has_hot;          /* an access inside `hot` is allowed, and asked for before the check */
    bool hot_grows;        /* `hot` ends at the live heap end, as windows[0] of MF_CHECK_HEAP */
    mf_plan_window hot;
    uint32_t hot_percent; /* of 100 accesses, as far as is known */
} mf_plan;

/* The name of a check: "always-fault", "window", ... Static storage. Any thread. */
const char *mf_check_name(mf_check check);

/*
 * Writes the plan of accessor `id` for `layout` under `options` (NULL: the default). Pure; any thread.
 * MF_INEXACT_STRATEGY if options->strategy cannot answer exactly, MF_INVALID_ARGUMENT for options that do
 * not go together (the diagnostic says which).
 */
mf_status mf_plan_make(const mf_layout *layout, mf_accessor_id id, const mf_accessor_options *options,
                       mf_plan *plan, mf_diag *diag);

/* The bytes of the plan's constant table: at most 128 KiB, and 0 if its check reads none. Pure; any thread.
 */
size_t mf_plan_table_bytes(const mf_plan *plan);

/*
 * Writes the constant table of `plan`, a plan for `layout`: mf_plan_table_bytes bytes, the same for all
 * accessors of one operation. Pure; any thread.
 */
void mf_plan_fill_table(const mf_layout *layout, const mf_plan *plan, uint8_t *bytes);

/* What a plan says of one index that is known beforehand. */
typedef enum mf_decision {
    MF_DECIDED_LIVE = 0, /* it depends on the memory's heap end or live permissions */
    MF_DECIDED_ALLOWED,
    MF_DECIDED_FAULT
} mf_decision;

/* Decides the access at guest index `index` under `plan`, a plan for `layout`. Pure; any thread. */
mf_decision mf_plan_decide(const mf_layout *layout, const mf_plan *plan, uint64_t index);

/*
 * Writes one line without a newline, always terminated: the accessor, its check and the constants. Returns
 * the length it needs without the terminator. The text is stable: tools may compare it. Any thread.
 */
size_t mf_plan_print(const mf_plan *plan, char *text, size_t text_bytes);

/* True if `options` are values of their types and go together; otherwise MF_INVALID_ARGUMENT. Any thread. */
mf_status mf_accessor_options_validate(const mf_accessor_options *options, mf_diag *diag);

MF_PUBLIC_END

#endif
