/* The processes of a sweep: each takes blocks in turn, and what it does stands in memory that all share. */
#include "verify/sweep_access.h"
#include "verify/sweep_work.h"

#include <memfold/sweep.h>

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PROCESSES_MAX 64
#define NO_BLOCK UINT64_MAX

/* A block takes fractions of a second of the processor, under sanitizers a few. */
#define BLOCK_SECONDS 20

/* What one process does and has done. */
typedef struct worker {
    mf_sweep_report report;
    _Atomic uint64_t block; /* that it is at */
    mf_status status;
    mf_diag diag;
    bool has_ended; /* by itself */
} worker;

typedef struct control {
    _Atomic uint64_t next_block;
    atomic_bool stop;
    worker workers[PROCESSES_MAX];
} control;

typedef struct sweep {
    mf_memory *memory;
    const mf_accessors *set;
    const mf_accessor_options *options;
    const mf_sweep_request *request;
    sweep_contract contract;
    sweep_guest guest;
    sweep_work work;
    control *control;
    uint32_t process_count;
    pid_t processes[PROCESSES_MAX];
} sweep;

static uint32_t accessors_of(const mf_sweep_request *request) {
    uint32_t all = (UINT32_C(1) << MF_ACCESSOR_COUNT) - 1;
    return request->accessors == 0 ? all : request->accessors & all;
}

/* ---- In a process of its own ---- */

/* The pages are as they were, and are given back. Their heap is the contract's. */
static bool renew_guest(sweep *s, worker *w, uint32_t heap_pages) {
    uint64_t wrong;
    if (!sweep_guest_is_unchanged(&s->guest, &wrong)) {
        w->report.byte = wrong;
        w->report.flaw = MF_SWEEP_OTHER_BYTES;
        return false;
    }
    sweep_contract_set_heap(&s->contract, heap_pages);
    w->report.heap_end = s->contract.heap_end;
    w->status = sweep_guest_reset(&s->guest, heap_pages, &w->diag);
    return w->status == MF_OK;
}

static sweep_subject subject_of(sweep *s, worker *w, mf_accessor_id id) {
    return (sweep_subject){.guest = &s->guest,
                           .options = s->options,
                           .request = s->request,
                           .accessor = id,
                           .info = mf_accessor_info_get(id),
                           .function = mf_accessors_member(s->set, id),
                           .report = &w->report};
}

static bool sweep_indices(sweep *s, worker *w, sweep_span span) {
    uint32_t accessors = accessors_of(s->request);
    for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++) {
        const sweep_subject subject = subject_of(s, w, id);
        w->report.accessor = id;
        for (uint64_t i = span.first; (accessors >> id & 1) != 0 && i < span.first + span.count; i++)
            if (!sweep_access_is_right(&subject, i))
                return false;
    }
    return true;
}

/* The pages of the span with those that its accesses and the bytes around them reach. */
static bool sweep_one_span(sweep *s, worker *w, sweep_span span, uint32_t heap_pages) {
    uint64_t first = span.first < SWEEP_AROUND ? 0 : span.first - SWEEP_AROUND;
    uint64_t last = span.first + span.count + SWEEP_SEEN_BYTES;
    uint32_t pages = (uint32_t)((last - first) / MF_PAGE_SIZE) + 2;
    if (!sweep_guest_has_room(&s->guest, pages) && !renew_guest(s, w, heap_pages))
        return false;
    w->status = sweep_guest_fill(&s->guest, first, last, &w->diag);
    return w->status == MF_OK && sweep_indices(s, w, span);
}

/* Whoever never comes back is ended by a signal that nobody handles. */
static void set_alarm(const mf_sweep_request *request) {
    time_t seconds = request->seconds == 0 ? BLOCK_SECONDS : request->seconds;
    const struct itimerval limit = {.it_value = {.tv_sec = seconds}};
    setitimer(ITIMER_VIRTUAL, &limit, NULL);
}

static bool sweep_block(sweep *s, worker *w, uint64_t block) {
    uint32_t heap_pages = sweep_work_heap(&s->work, block);
    sweep_span span;
    set_alarm(s->request);
    if (s->guest.heap_pages != heap_pages && !renew_guest(s, w, heap_pages))
        return false;
    for (uint32_t n = 0; sweep_work_span(&s->work, block, n, &span); n++)
        if (!sweep_one_span(s, w, span, heap_pages))
            return false;
    return true;
}

static void sweep_blocks(sweep *s, worker *w) {
    control *c = s->control;
    bool goes_on = renew_guest(s, w, 0);
    while (goes_on && !atomic_load(&c->stop)) {
        uint64_t block = atomic_fetch_add(&c->next_block, 1);
        if (block >= s->work.block_count)
            break;
        atomic_store(&w->block, block);
        goes_on = sweep_block(s, w, block);
        if (goes_on)
            atomic_store(&w->block, NO_BLOCK);
    }
    if (goes_on)
        goes_on = renew_guest(s, w, s->guest.heap_pages);
    if (!goes_on)
        atomic_store(&c->stop, true);
    w->has_ended = true;
}

/* It goes with its parent, and leaves it to that to be interrupted. */
MF_NORETURN static void be_process(sweep *s, worker *w) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGINT, SIG_IGN);
    sweep_blocks(s, w);
    _exit(0);
}

/* ---- In the process that asks ---- */

static mf_sweep_progress progress_of(const sweep *s) {
    mf_sweep_progress p = {0};
    uint64_t accessors = (uint64_t)__builtin_popcount(accessors_of(s->request));
    uint64_t block = atomic_load(&s->control->next_block);
    block = block < s->work.block_count ? block : s->work.block_count;
    for (uint32_t i = 0; i < s->process_count; i++) {
        const worker *w = &s->control->workers[i];
        uint64_t at = atomic_load(&w->block);
        block = at < block ? at : block;
        for (uint32_t id = 0; id < MF_ACCESSOR_COUNT; id++)
            p.done += w->report.swept[id];
    }
    p.total = s->work.index_count * s->work.heap_count * accessors;
    p.next = s->work.is_exhaustive ? sweep_work_begin(&s->work, block) : 0;
    return p;
}

static bool start(sweep *s) {
    for (uint32_t i = 0; i < s->process_count; i++) {
        atomic_init(&s->control->workers[i].block, NO_BLOCK);
        s->processes[i] = fork();
        if (s->processes[i] == 0)
            be_process(s, &s->control->workers[i]);
        if (s->processes[i] < 0) {
            s->process_count = i;
            return i > 0;
        }
    }
    return true;
}

/* A process that was ended has said at which index it was, and with which heap. */
static void take_end(sweep *s, worker *w, int how) {
    if (w->has_ended)
        return;
    atomic_store(&s->control->stop, true);
    int signal = WIFSIGNALED(how) ? WTERMSIG(how) : 0;
    if (signal == SIGKILL) {
        w->status = mf_diag_set(&w->diag, MF_OUT_OF_MEMORY, 0, "a process of the sweep was killed");
        return;
    }
    w->report.signal = signal;
    w->report.flaw = signal == SIGVTALRM ? MF_SWEEP_ENDLESS : MF_SWEEP_CRASH;
    uint64_t heap_bytes = w->report.heap_end - s->contract.heap.base;
    sweep_contract_set_heap(&s->contract, (uint32_t)(heap_bytes / MF_PAGE_SIZE));
    const sweep_subject subject = subject_of(s, w, w->report.accessor);
    sweep_access_describe(&subject);
}

static void watch(const sweep *s) {
    mf_sweep_progress now = progress_of(s);
    if (s->request->watcher != NULL && !s->request->watcher(s->request->context, &now))
        atomic_store(&s->control->stop, true);
}

static void wait_for_all(sweep *s) {
    struct timespec pause = {.tv_nsec = 1000000};
    for (uint32_t i = 0; i < s->process_count;) {
        int how;
        pid_t ended = waitpid(s->processes[i], &how, WNOHANG);
        if (ended == s->processes[i]) {
            take_end(s, &s->control->workers[i++], how);
            continue;
        }
        nanosleep(&pause, NULL);
        pause.tv_nsec = pause.tv_nsec < 50000000 ? 2 * pause.tv_nsec : pause.tv_nsec;
        watch(s);
    }
    watch(s);
}

/* The first counterexample, and all addresses. */
static mf_status collect(const sweep *s, mf_sweep_report *report, mf_diag *diag) {
    mf_sweep_report sum = {0};
    for (uint32_t i = s->process_count; i-- > 0;) {
        const worker *w = &s->control->workers[i];
        if (w->status != MF_OK)
            return mf_diag_set(diag, w->status, w->diag.value, "%s", w->diag.message);
        uint64_t swept[MF_ACCESSOR_COUNT];
        for (uint32_t id = 0; id < MF_ACCESSOR_COUNT; id++)
            swept[id] = sum.swept[id] + w->report.swept[id];
        if (w->report.flaw != MF_SWEEP_NO_FLAW)
            sum = w->report;
        memcpy(sum.swept, swept, sizeof swept);
    }
    mf_sweep_progress end = progress_of(s);
    sum.is_complete =
        sum.flaw == MF_SWEEP_NO_FLAW && atomic_load(&s->control->next_block) >= s->work.block_count;
    sum.next = end.next;
    *report = sum;
    return MF_OK;
}

static uint32_t choose_process_count(const mf_sweep_request *request, uint64_t block_count) {
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    uint64_t count = request->processes != 0 ? request->processes : (uint64_t)(online > 0 ? online : 1);
    count = count < PROCESSES_MAX ? count : PROCESSES_MAX;
    return (uint32_t)(count < block_count ? count : block_count);
}

static mf_status prepare(sweep *s, mf_diag *diag) {
    mf_layout *layout;
    mf_status status = mf_memory_layout(s->memory, &layout, diag);
    if (status != MF_OK)
        return status;
    bool is_ready = sweep_contract_init(&s->contract, layout, s->options->policy) &&
                    sweep_guest_init(&s->guest, s->memory, &s->contract) &&
                    sweep_work_init(&s->work, &s->contract, s->options, s->request);
    mf_layout_release(layout);
    void *shared = mmap(NULL, sizeof *s->control, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    s->control = shared == MAP_FAILED ? NULL : shared;
    if (!is_ready || s->control == NULL)
        return mf_diag_set(diag, MF_OUT_OF_MEMORY, 0, "no memory for a sweep");
    s->process_count = choose_process_count(s->request, s->work.block_count);
    return MF_OK;
}

static void fini(sweep *s) {
    if (s->control != NULL)
        munmap(s->control, sizeof *s->control);
    sweep_work_fini(&s->work);
    sweep_guest_fini(&s->guest);
    sweep_contract_fini(&s->contract);
}

static mf_status run(sweep *s, mf_sweep_report *report, mf_diag *diag) {
    mf_status status = prepare(s, diag);
    if (status == MF_OK && !start(s) && s->work.block_count > 0)
        return mf_diag_set(diag, MF_IO, (uint64_t)errno, "no process can be made: %s", strerror(errno));
    if (status != MF_OK)
        return status;
    wait_for_all(s);
    return collect(s, report, diag);
}

mf_status mf_sweep_run(mf_memory *memory, const mf_accessors *set, const mf_accessor_options *options,
                       const mf_sweep_request *request, mf_sweep_report *report, mf_diag *diag) {
    static const mf_accessor_options DEFAULT_OPTIONS;
    static const mf_sweep_request DEFAULT_REQUEST;
    sweep *s = calloc(1, sizeof *s);
    if (s == NULL)
        return mf_diag_set(diag, MF_OUT_OF_MEMORY, sizeof *s, "no memory for a sweep");
    s->memory = memory;
    s->set = set;
    s->options = options == NULL ? &DEFAULT_OPTIONS : options;
    s->request = request == NULL ? &DEFAULT_REQUEST : request;
    mf_status status = MF_OK;
    if (s->options->backend != mf_memory_backend(memory))
        status = mf_diag_set(diag, MF_INVALID_ARGUMENT, (uint64_t)s->options->backend,
                             "the memory is of another backend than the options");
    else if (s->options->on_fault == MF_ON_FAULT_BRANCH)
        status = mf_diag_set(diag, MF_INVALID_ARGUMENT, (uint64_t)s->options->on_fault,
                             "accessors that branch are nowhere but in a module");
    if (status == MF_OK)
        status = run(s, report, diag);
    fini(s);
    free(s);
    return status;
}
