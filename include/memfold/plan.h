/*
 * A plan: the whole decision about one access, as a list of steps.
 *
 * A plan is a pure value and knows no LLVM. It is the only place that answers "is a check needed, and which":
 * what mf_plan_print prints, what the generator writes and what is proved are readings of the same steps.
 *
 *     mf_plan plan;
 *     if (mf_plan_make(layout, MF_LOAD_U32, NULL, &plan, NULL) == MF_OK) {
 *         char text[512];
 *         mf_plan_print(&plan, text, sizeof text);
 *         puts(text); // load_u32   window       index - 0x20000 <= 0x7ffc
 *     }
 */
#ifndef MEMFOLD_PLAN_H
#define MEMFOLD_PLAN_H

#include <memfold/accessors.h>
#include <memfold/layout.h>
#include <memfold/memory.h>
#include <memfold/options.h>
#include <memfold/public.h>
#include <memfold/status.h>

MF_PUBLIC_BEGIN

/* What the steps of a plan are called together. X(ID, name) */
#define MF_CHECKS(X)                                                                                         \
    X(ALWAYS_FAULT, "always-fault")         /* no access is allowed */                                       \
    X(ALWAYS_ALLOWED, "always-allowed")     /* every access is, or the caller has checked */                 \
    X(PAGED, "paged")                       /* the MMU faults exactly if the access is not allowed */        \
    X(BOUND, "bound")                       /* one window, which begins at 0 */                              \
    X(WINDOW, "window")                     /* one window */                                                 \
    X(TWO_WINDOWS, "two-windows")           /* from the first to the end of the second, but not between */   \
    X(HEAP, "heap")                         /* a window that ends at the live heap end, at most one other */ \
    X(FEW_WINDOWS, "few-windows")           /* from the first to the end of the last, but not between */     \
    X(IN_TURN, "in-turn")                   /* one window after the other */                                 \
    X(IMMEDIATE_BITMAP, "immediate-bitmap") /* a bit for each granule, in one 64-bit constant */             \
    X(GRANULE_TABLE, "granule-table")       /* a byte for each granule, in constant data */                  \
    X(GRANULE_BITMAP, "granule-bitmap")     /* a bit for each granule, in constant data */                   \
    X(PERM_TABLE, "perm-table")             /* the memory's live permission table */                         \
    X(RANGE, "range")                       /* a range whose length is known when the code runs */

/* The numbers of the checks, in the order of the list. */
typedef enum mf_check {
#define MF_X(ID, name) MF_CHECK_##ID,
    MF_CHECKS(MF_X)
#undef MF_X
        MF_CHECK_COUNT
} mf_check;

/*
 * What a step asks. `at` is the byte that it looks at; start, last, granule_log2 and bits are fields of the
 * step. Arithmetic is unsigned, modulo 2^64. X(ID, name)
 */
#define MF_STEPS(X)                                                                                          \
    X(ALWAYS, "always")                      /* nothing: it passes */                                        \
    X(SAME_LAYOUT, "same-layout")            /* the view's stamp for the index is `start` */                 \
    X(SAME_BACKEND, "same-backend")          /* it does not refuse mf_backend `start`; any layout */         \
    X(MMU, "mmu")                            /* nothing: the access itself faults if it is not allowed */    \
    X(IN_WINDOW, "in-window")                /* at - start <= last */                                        \
    X(NOT_IN_HOLE, "not-in-hole")            /* at - start > last */                                         \
    X(BELOW_HEAP_END, "below-heap-end")      /* at - start < heap_end - last, where heap_end > last */       \
    X(IN_HEAP, "in-heap")                    /* at - start < max(heap_end - last, 0) */                      \
    X(NOT_IN_GROWTH, "not-in-growth")        /* not heap_end <= at <= last, where heap_end + 4095 <= last */ \
    X(IN_SPACE, "in-space")                  /* at <= last: behind it a table has no entries */              \
    X(PERMISSION, "permission")              /* perms[at >> 12] is RO or RW; for stores RW */                \
    X(TABLE_BYTE, "table-byte")              /* byte at >> granule_log2 of the plan's table is 1 */          \
    X(TABLE_BIT, "table-bit")                /* bit n = at >> granule_log2: n % 8 of byte n / 8, is 1 */     \
    X(IMMEDIATE_BIT, "immediate-bit")        /* bit (at - start) >> granule_log2 of `bits` is 1 */           \
    X(IN_GRANULE, "in-granule")              /* at mod 2^granule_log2 <= last: the access ends in it, too */ \
    X(MASK, "mask")                          /* nothing: from here on the index is `start` unless every      \
                                                comparison holds, by data flow */                            \
    X(IS_EMPTY, "is-empty")                  /* the range has no bytes */                                    \
    X(EMPTY_UP_TO, "empty-up-to")            /* it has no bytes, and at <= last */                           \
    X(EMPTY_IN_HEAP, "empty-in-heap")        /* it has no bytes, and at <= heap_end, if start < heap_end */  \
    X(RANGE_IN_WINDOW, "range-in-window")    /* [at, at + length) is within start, ..., start + last */      \
    X(RANGE_BELOW_HEAP_END, "range-in-heap") /* it is within start, ..., heap_end - 1 */                     \
    X(RANGE_PERMISSION, "range-permission")  /* the runtime finds all of it accessible */

/* The numbers of the kinds of steps, in the order of the list. */
typedef enum mf_step_kind {
#define MF_X(ID, name) MF_STEP_##ID,
    MF_STEPS(MF_X)
#undef MF_X
        MF_STEP_COUNT
} mf_step_kind;

/* Which byte of the access, index, ..., index + width_bytes - 1. */
typedef enum mf_step_at { MF_AT_FIRST = 0, MF_AT_LAST = 1 } mf_step_at;

/* Where a step leads. */
typedef enum mf_exit {
    MF_EXIT_NEXT = 0, /* to the next step */
    MF_EXIT_ALLOWED,  /* to the access */
    MF_EXIT_FAULT,    /* to the fault edge: nothing is accessed, the fault is recorded */
    MF_EXIT_HANDLER,  /* out of the code: the fault handler leaves through the guard frame of the view */
    MF_EXIT_PANIC     /* a programmer's mistake */
} mf_exit;

/* One step. The fields that its kind does not name are 0, and there is no padding: steps compare as bytes. */
typedef struct mf_plan_step {
    uint32_t kind;    /* mf_step_kind */
    uint32_t at;      /* mf_step_at */
    uint32_t on_pass; /* mf_exit */
    uint32_t on_fail; /* mf_exit */
    uint64_t start;
    uint64_t last;
    uint64_t bits;         /* of an immediate bitmap, the lowest granule first */
    uint32_t granule_log2; /* of tables and bitmaps: one entry stands for so many bytes, as a power of two */
    uint32_t percent;      /* so many of 100 accesses pass, as far as is known; 0: it is not */
} mf_plan_step;

/* How many steps a plan has at most. */
#define MF_PLAN_STEPS_MAX 8

/*
 * The steps are taken in their order from the first on; the last one leads elsewhere than to the next, and no
 * step goes back. `limit` is for the fault record: 0 where the fault is classified from the live permissions;
 * under the bounds policy the end of the accessible space. No padding: plans compare as bytes.
 */
typedef struct mf_plan {
    uint32_t accessor;    /* mf_accessor_id; MF_ACCESSOR_COUNT: it is of another access or of a range */
    uint32_t operation;   /* mf_operation */
    uint32_t width_bytes; /* of the access; 0 for a range */
    uint32_t check;       /* mf_check: what the steps are called */
    uint32_t index;       /* mf_index: for which indices the steps are exact */
    uint32_t step_count;
    uint64_t limit;
    mf_plan_step steps[MF_PLAN_STEPS_MAX]; /* zero from step_count on */
} mf_plan;

MF_STATIC_ASSERT(sizeof(mf_plan_step) == 6 * sizeof(uint32_t) + 3 * sizeof(uint64_t),
                 "mf_plan_step is packed");
MF_STATIC_ASSERT(sizeof(mf_plan) ==
                     6 * sizeof(uint32_t) + sizeof(uint64_t) + MF_PLAN_STEPS_MAX * sizeof(mf_plan_step),
                 "mf_plan is packed");

/* The names above: "window", "in-window", ... Static storage. Any thread. */
const char *mf_check_name(mf_check check);
const char *mf_step_name(mf_step_kind kind);

/*
 * Writes the plan of accessor `id` for `layout` under `options` (NULL: the default). Pure; any thread.
 * MF_INEXACT_STRATEGY if options->strategy cannot answer exactly, MF_INVALID_ARGUMENT for an accessor that
 * there is not, and for options that do not go together (the diagnostic says which).
 */
mf_status mf_plan_make(const mf_layout *layout, mf_accessor_id id, const mf_accessor_options *options,
                       mf_plan *plan, mf_diag *diag);

/* How many bytes an access has at most. */
#define MF_ACCESS_BYTES_MAX 64

/*
 * An access that need not be an accessor's. The MMU checks what one machine instruction accesses; what takes
 * several of them, or is left to somebody else, is checked before it in software, also on x86_paged.
 */
typedef struct mf_plan_access {
    mf_operation operation;
    uint32_t width_bytes; /* 1 to MF_ACCESS_BYTES_MAX */
    bool in_software;
} mf_plan_access;

/* The same for an access of any width. MF_INVALID_ARGUMENT for another width or operation, too. */
mf_status mf_plan_make_access(const mf_layout *layout, const mf_plan_access *access,
                              const mf_accessor_options *options, mf_plan *plan, mf_diag *diag);

/*
 * Writes the plan for a range [index, index + length) that `operation` is to touch, length known only when
 * the code runs, index of 64 bits. It is checked in software on every backend; of the options only the policy
 * and empty_range count. Pure; any thread. MF_INVALID_ARGUMENT, also for an operation that there is
 * not.
 */
mf_status mf_plan_make_range(const mf_layout *layout, mf_operation operation,
                             const mf_accessor_options *options, mf_plan *plan, mf_diag *diag);

/*
 * Writes the plan of the one access at `index`, which is known beforehand: what is left to be asked there.
 * `plan` is a plan of an accessor for `layout`; the result is always-allowed, always-fault, or `plan` itself
 * where it depends on the memory's heap end or live permissions. Pure; any thread.
 */
void mf_plan_make_at(const mf_layout *layout, const mf_plan *plan, uint64_t index, mf_plan *decided);

/* True if some step leads to MF_EXIT_FAULT: the code has a fault edge. Pure; any thread. */
bool mf_plan_has_fault_edge(const mf_plan *plan);

/* True if some step is of this kind. Pure; any thread. */
bool mf_plan_has_step(const mf_plan *plan, mf_step_kind kind);

/* The bytes of the plan's constant table: at most 128 KiB, and 0 if no step reads one. Pure; any thread. */
size_t mf_plan_table_bytes(const mf_plan *plan);

/*
 * Writes the constant table of `plan`, a plan for `layout`: mf_plan_table_bytes bytes, the same for all
 * accessors of one operation. Pure; any thread.
 */
void mf_plan_fill_table(const mf_layout *layout, const mf_plan *plan, uint8_t *bytes);

/*
 * Writes one line without a newline, always terminated: the accessor, the name of its check, and its steps
 * separated by "; ". A step that is not passed leads to the fault, or to a panic where it says so; "allowed
 * if" begins one that leads to the access where it is passed, and to the next where it is not. Returns the
 * length it needs without the terminator. The text is stable: tools may compare it. Any thread.
 */
size_t mf_plan_print(const mf_plan *plan, char *text, size_t text_bytes);

/*
 * Writes whether accessors that are made for `layout` under `options` (NULL: the default) answer exactly for
 * `memory` as it is now: for code that is compiled before there is the memory. Those that ask the memory
 * itself (perm-table, paged) cover every one of their backend; others cover one whose layout is planned
 * alike, such as the same layout at any heap top. False for a memory of another backend. Under the policy
 * none nothing is asked and so nothing can be seen to be wrong: true. It speaks of whole accessors: code that
 * mf_embed_load and its kind emit (embed.h) decides constant addresses and ranges by the layout, and is for
 * memories of that layout only (mf_embed_check_view). mf_accessors_fit (memory.h) asks the same of accessors
 * that exist. Counts as a change of the memory for its thread rule. MF_INVALID_ARGUMENT,
 * MF_INEXACT_STRATEGY, MF_OUT_OF_MEMORY.
 */
mf_status mf_accessors_cover(const mf_layout *layout, const mf_accessor_options *options, mf_memory *memory,
                             bool *cover, mf_diag *diag);

/* True if `options` are values of their types and go together; otherwise MF_INVALID_ARGUMENT. Any thread. */
mf_status mf_accessor_options_validate(const mf_accessor_options *options, mf_diag *diag);

MF_PUBLIC_END

#endif
