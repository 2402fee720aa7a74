/*
 * A sweep: accessors are called at addresses, and each answer is compared with what the fault contract says,
 * byte by byte. It knows the layout's pages and nothing of plans or of who made the code.
 *
 * The calls are made by processes of their own (fork), so that code which destroys what it should not, ends
 * the process or never comes back is a counterexample like any other. x86-64 Linux. Example:
 *
 *     #include <memfold/generic.h>
 *     #include <memfold/sweep.h>
 *     #include <stdio.h>
 *
 *     int main(void) {
 *         static mf_memory_config config;
 *         config.huge_pages = MF_HUGE_PAGES_NEVER;
 *         mf_layout_builder *builder = mf_layout_builder_create();
 *         mf_layout *layout;
 *         mf_memory *memory;
 *         mf_sweep_report report;
 *         mf_diag diag;
 *         if (mf_layout_builder_map_region(builder, 0x10000, 0x4000, MF_READ_ONLY, NULL, 0, &diag) ||
 *             mf_layout_builder_finish(builder, &layout, NULL, &diag) ||
 *             mf_memory_create_with(layout, NULL, &config, &memory, &diag) ||
 *             mf_sweep_run(memory, mf_generic_accessors(NULL), NULL, NULL, &report, &diag)) {
 *             fprintf(stderr, "%s\n", diag.message);
 *             return 1;
 *         }
 *         printf("load_u8: swept %llu addresses\n", (unsigned long long)report.swept[MF_LOAD_U8]);
 *         mf_memory_destroy(memory);
 *         mf_layout_release(layout);
 *         mf_layout_builder_destroy(builder);
 *         return report.flaw == MF_SWEEP_NO_FLAW ? 0 : 1;
 *     }
 */
#ifndef MEMFOLD_SWEEP_H
#define MEMFOLD_SWEEP_H

#include <memfold/accessors.h>
#include <memfold/layout.h>
#include <memfold/memory.h>
#include <memfold/options.h>
#include <memfold/public.h>
#include <memfold/status.h>

MF_PUBLIC_BEGIN

/* What an access did that the contract does not say. X(ID, text) */
#define MF_SWEEP_FLAWS(X)                                                                                    \
    X(NO_FLAW, "nothing")                                                                                    \
    X(STATUS, "the status is wrong")                                                                         \
    X(VALUE, "the value is wrong")                                                                           \
    X(RECORD, "the fault record is wrong")                                                                   \
    X(BYTES, "guest bytes are wrong")                                                                        \
    X(OTHER_BYTES, "guest bytes elsewhere have changed")                                                     \
    X(VIEW, "a field of the view has changed")                                                               \
    X(REGISTERS, "a callee-saved register or the direction flag has changed")                                \
    X(CRASH, "the process has ended")                                                                        \
    X(ENDLESS, "the code has not come back")

/* The numbers of the flaws, in the order of the list. */
typedef enum mf_sweep_flaw {
#define MF_X(ID, text) MF_SWEEP_##ID,
    MF_SWEEP_FLAWS(MF_X)
#undef MF_X
        MF_SWEEP_FLAW_COUNT
} mf_sweep_flaw;

/* The text of a flaw; static storage. Any thread. */
const char *mf_sweep_flaw_text(mf_sweep_flaw flaw);

/* How far a sweep is: of `total` addresses, counted for each accessor and heap end, `done` are behind. */
typedef struct mf_sweep_progress {
    uint64_t done;
    uint64_t total;
    uint64_t next; /* as in the report */
} mf_sweep_progress;

/*
 * Called now and then, in the process and thread of mf_sweep_run. False: the sweep stops. It may be called
 * again until the processes that make the calls have ended.
 */
typedef bool mf_sweep_watcher(void *context, const mf_sweep_progress *progress);

/*
 * What is swept. All zero is the default: all accessors at 16 bytes around every edge of the layout, around
 * pages and granules beside the first 1000 of them, around 0 and 2^32, and at a random sample, each with a
 * heap of no, one, half and all of its pages.
 *
 * With is_exhaustive it is every index from `first` up to `end`, with one heap end. On x86_paged the MMU
 * decides by page, and a fault costs microseconds: there it is every page at its first 8 and its last 8
 * bytes, among which are all accesses that touch two pages.
 */
typedef struct mf_sweep_request {
    bool is_exhaustive;
    uint32_t accessors;  /* bit n: the accessor n of mf_accessor_id is swept; 0: all are */
    uint64_t first;      /* exhaustive: where it begins, rounded down to 64 pages */
    uint64_t end;        /* and ends, rounded up; 0: at 2^32, with index = u33 64 pages behind it */
    uint64_t seed;       /* of the sample and of stored values */
    uint32_t samples;    /* how many addresses are random; 0: 20000 */
    uint32_t heap_pages; /* exhaustive: the heap's pages; above its maximum: that */
    uint32_t seconds;    /* of a processor that 64 pages or spans may take, or they are endless; 0: 20 */
    uint32_t processes;  /* 0: one for each processor, at most 64 */
    mf_sweep_watcher *watcher; /* NULL: nobody watches */
    void *context;             /* of the watcher */
} mf_sweep_request;

/*
 * What came of it. Of the counterexample everything is 0 where `flaw` is MF_SWEEP_NO_FLAW. Bytes elsewhere
 * are looked at when pages are given back: then accessor and index are the last access before, and what the
 * code and the contract say of it is 0.
 */
typedef struct mf_sweep_report {
    uint64_t swept[MF_ACCESSOR_COUNT]; /* calls made and found right */
    bool is_complete;                  /* everything that was asked for */
    uint64_t next; /* of an exhaustive sweep that is not: all below is behind, so it goes on from here */

    mf_sweep_flaw flaw;
    mf_accessor_id accessor;
    uint64_t arguments[4]; /* what stood in rdi, rsi, rdx and rcx */
    uint64_t index;        /* the index of the access */
    uint64_t heap_end;     /* of the view */
    uint32_t status;       /* what the accessor gave; with on_fault = trap the kind of the guard's record */
    uint64_t value;
    mf_fault fault;          /* the record that it left */
    uint32_t allowed_status; /* and what the contract says */
    uint64_t allowed_value;
    mf_fault allowed_fault;
    uint64_t byte; /* of wrong bytes the index of the lowest that was seen */
    int signal;    /* that ended the process; 0: another end */
} mf_sweep_report;

/*
 * Sweeps `set`, which was made under `options` (NULL: the default) for the layout of `memory` and, with
 * base = constant, for its base. The memory is freshly made from a layout, without an image, and best with
 * huge pages off, or the host may commit 2 MiB for each page that is touched; from then on it is as after
 * mf_memory_reset. At most 16 MiB of it are committed at a time, for each process.
 *
 * What is compared: status, value, fault record, view, callee-saved registers and the direction flag, the
 * bytes around the access after each store, and all bytes of the pages around after each 4096 pages. Upper
 * halves of 32-bit addresses and of stored values are random. Under the policy NONE only what is accessible
 * is accessed.
 *
 * MF_OK also with a flaw: the report has the first that was found. MF_INVALID_ARGUMENT for options that do
 * not go together, and for a memory of another backend; MF_OUT_OF_MEMORY, MF_IO if no process can be forked.
 * Any thread; counts as a change of the memory for its thread rule. Where other threads run, the child
 * processes rely on what fork leaves of locks: the C library's allocator is safe.
 */
mf_status mf_sweep_run(mf_memory *memory, const mf_accessors *set, const mf_accessor_options *options,
                       const mf_sweep_request *request, mf_sweep_report *report, mf_diag *diag);

/*
 * Writes the counterexample of a report as text of several lines, always terminated: the accessor and its
 * arguments, what it did, what the contract says. Returns the length it needs without the terminator. Any
 * thread.
 */
size_t mf_sweep_print(const mf_sweep_report *report, char *text, size_t text_bytes);

MF_PUBLIC_END

#endif
