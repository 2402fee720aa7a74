/*
 * Proofs of accessors' machine code, from its bytes: whoever made it (stencils, LLVM, an object file from
 * elsewhere), the code keeps the contract of its layout and options for all contents of all registers, and
 * for all of memory that the contract lets vary. gen/verify/README.md says what a proof rests on. Example:
 *
 *     #include <memfold/verify.h>
 *     #include <memfold/jit.h>
 *     #include <stdio.h>
 *
 *     int main(void) {
 *         mf_layout_builder *builder = mf_layout_builder_create();
 *         mf_layout *layout;
 *         mf_jit *jit;
 *         mf_code *code;
 *         mf_diag diag;
 *         static mf_verify_report report;
 *         static mf_verify_subject subject;
 *         char text[1024];
 *         if (mf_layout_builder_map_region(builder, 0x20000, 4096, MF_READ_WRITE, NULL, 0, &diag) ||
 *             mf_layout_builder_finish(builder, &layout, NULL, &diag) || mf_jit_create(NULL, &jit, &diag) ||
 *             mf_jit_get(jit, layout, NULL, &code, &diag))
 *             return 1;
 *         subject.accessors = mf_code_accessors(code);
 *         if (mf_verify_accessors(layout, NULL, &subject, NULL, &report, &diag) != MF_OK)
 *             return 1;
 *         mf_verify_print(&report.results[MF_LOAD_U32], text, sizeof text);
 *         puts(text); // load_u32   proved
 *         mf_code_release(code);
 *         mf_jit_destroy(jit);
 *         mf_layout_release(layout);
 *         mf_layout_builder_destroy(builder);
 *         return report.all_proved ? 0 : 1;
 *     }
 *
 * Thread rule: every function here may run in any thread, several at once; none in a signal handler.
 */
#ifndef MEMFOLD_VERIFY_H
#define MEMFOLD_VERIFY_H

#include <memfold/accessors.h>
#include <memfold/exception_table.h>
#include <memfold/layout.h>
#include <memfold/options.h>
#include <memfold/public.h>
#include <memfold/status.h>
#include <memfold/version.h>

#include <stdbool.h>

MF_PUBLIC_BEGIN

/* What is known of one accessor. X(ID, name) */
#define MF_VERDICTS(X)                                                                                       \
    X(PROVED, "proved")         /* it keeps the contract */                                                  \
    X(REFUTED, "refuted")       /* it does not, and there is a counterexample */                             \
    X(NOT_PROVED, "not proved") /* neither: the reason says why */

/* The numbers of the verdicts, in the order of the list. */
typedef enum mf_verdict {
#define MF_X(ID, name) MF_VERDICT_##ID,
    MF_VERDICTS(MF_X)
#undef MF_X
} mf_verdict;

/* The general registers in the CPU's numbering: rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, ..., r15. */
#define MF_VERIFY_REGISTERS 16

/* An entry of the live permission table that the code or the contract asks. */
typedef struct mf_verify_page {
    uint64_t page;
    uint32_t perm; /* mf_perm */
} mf_verify_page;

/* How many of them a counterexample names at most. */
#define MF_VERIFY_PAGES_MAX 8

/*
 * A state at an accessor's entry for which the code does not do what the contract says. The view is at
 * registers[7] (rdi), and its fields are given beside the registers. The live permission table is the
 * layout's, with the heap up to heap_end, unless `page_count` is not 0: code that asks the table is held to
 * every table, and `pages` are the entries that matter. With `is_speculative` the code does wrong on a way
 * that is only taken because a branch was predicted wrongly: running it shows nothing.
 */
typedef struct mf_counterexample {
    uint64_t registers[MF_VERIFY_REGISTERS];
    uint64_t base;         /* the host address of guest address 0 */
    uint64_t index;        /* the first index of the access */
    uint64_t value;        /* what a store is to write */
    uint64_t heap_end;     /* of the view */
    uint64_t layout_stamp; /* of the view: for index = u33 its u33_stamp */
    mf_verify_page pages[MF_VERIFY_PAGES_MAX];
    uint32_t page_count;
    uint8_t bytes[8]; /* the guest's at the index */
    bool is_allowed;  /* by the contract */
    bool is_speculative;
    char did[256];      /* one line: what the code does */
    char contract[256]; /* one line: what the contract says */
} mf_counterexample;

/* What was found out about one accessor. */
typedef struct mf_verify_result {
    mf_accessor_id id;
    mf_verdict verdict;
    char reason[256];                 /* of NOT_PROVED: one line; else empty */
    mf_counterexample counterexample; /* of REFUTED; else zero */
} mf_verify_result;

/* What was found out about a set. */
typedef struct mf_verify_report {
    bool all_proved;
    mf_verify_result results[MF_ACCESSOR_COUNT];
} mf_verify_report;

/*
 * Accessors of this process. `entries` are those of the exception table that are not registered (yet), as of
 * a set of stencil.h; NULL: the registered ones. The code need not be executable, only readable.
 */
typedef struct mf_verify_subject {
    const mf_accessors *accessors;
    const mf_exception_entry *entries;
    size_t entry_count;
} mf_verify_subject;

/* What the solver may use for one question; what it does not answer within is not proved. 0: the default. */
typedef struct mf_verify_limits {
    uint32_t milliseconds; /* default 10000 */
    uint32_t memory_mib;   /* default 1024 */
} mf_verify_limits;

/*
 * Writes what is proved of the accessors that `subject` names, against the contract of `layout` under
 * `options` (NULL: the default). Refuted or not proved code is a result, and the status is MF_OK.
 * MF_INVALID_ARGUMENT for options that are no accessors' (on_fault = branch) or no values of their types;
 * MF_OUT_OF_MEMORY. `limits` may be NULL.
 */
mf_status mf_verify_accessors(const mf_layout *layout, const mf_accessor_options *options,
                              const mf_verify_subject *subject, const mf_verify_limits *limits,
                              mf_verify_report *report, mf_diag *diag);

/*
 * Writes the result as text without a last newline, always terminated: a line with the accessor and the
 * verdict, and for a counterexample a block of indented lines with the state, what the code did and what the
 * contract says. Returns the length it needs without the terminator. The text is stable: tools may compare
 * it.
 */
size_t mf_verify_print(const mf_verify_result *result, char *text, size_t text_bytes);

/* The name of a verdict: "proved", ... Static storage. */
const char *mf_verdict_name(mf_verdict verdict);

/* Borrows the sizes of all structs that verify.h, object.h and sweep.h define, as mf_abi_sizes (version.h).
 */
const mf_abi_size *mf_verify_abi_sizes(void);

MF_PUBLIC_END

#endif
